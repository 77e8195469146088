package server

import (
	"net/http"
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/pquerna/otp/totp"

	"trunkline/internal/fault"
	accessv1 "trunkline/proto/gen/trunkline/access/v1"
	"trunkline/tenants/access"
)

// exe changes the database behind the cloud's back: to let time pass.
func (h *harness) exe(sql string, args ...any) {
	h.t.Helper()
	conn, err := pgx.Connect(h.t.Context(), h.db.Super)
	if err != nil {
		h.t.Fatal(err)
	}
	defer conn.Close(h.t.Context())
	if _, err := conn.Exec(h.t.Context(), sql, args...); err != nil {
		h.t.Fatal(err)
	}
}

// row reads one row as the owner of the database.
func (h *harness) row(sql string, into ...any) {
	h.t.Helper()
	conn, err := pgx.Connect(h.t.Context(), h.db.Super)
	if err != nil {
		h.t.Fatal(err)
	}
	defer conn.Close(h.t.Context())
	if err := conn.QueryRow(h.t.Context(), sql).Scan(into...); err != nil {
		h.t.Fatal(err)
	}
}

// cookies are what the browser would send with a refresh.
func (p *person) cookies() []*http.Cookie {
	u, _ := url.Parse(p.h.url + "/trunkline.access.v1.AccessService/Refresh")
	return p.http.Jar.Cookies(u)
}

func (p *person) setCookies(c []*http.Cookie) {
	u, _ := url.Parse(p.h.url + "/trunkline.access.v1.AccessService/Refresh")
	for _, x := range c {
		x.Path = "/trunkline.access.v1.AccessService/"
	}
	p.http.Jar.SetCookies(u, c)
}

func (p *person) refresh() (*accessv1.SessionResponse, error) {
	return p.access().Refresh(p.h.t.Context(), &accessv1.RefreshRequest{})
}

// awaitRefusal waits until the access token is refused: revocations travel by
// notification.
func (p *person) awaitRefusal(key string) {
	p.h.t.Helper()
	for deadline := time.Now().Add(10 * time.Second); ; {
		_, err := p.access().ListPasskeys(p.h.t.Context(), &accessv1.ListPasskeysRequest{})
		if err != nil {
			wantFault(p.h.t, err, fault.Unauthenticated, key)
			return
		}
		if time.Now().After(deadline) {
			p.h.t.Fatal("the token still holds")
		}
	}
}

func TestRefreshRotates(t *testing.T) {
	h := newHarness(t)
	p := h.signUp("ada@x.example", "Acme")
	first := p.cookies()
	if len(first) != 1 || len(p.http.Jar.Cookies(&url.URL{Scheme: "http", Host: strings.TrimPrefix(h.url, "http://"), Path: "/"})) != 0 {
		t.Fatalf("%v: the cookie goes to AccessService only", first)
	}
	p.take(p.refresh())
	second := p.cookies()
	if first[0].Value == second[0].Value {
		t.Fatal("the cookie did not change")
	}
	// Another tab sent the same cookie at the same moment: it gets the same new one.
	p.setCookies(first)
	p.take(p.refresh())
	if got := p.cookies(); got[0].Value != second[0].Value {
		t.Errorf("%s, want %s", got[0].Value, second[0].Value)
	}
}

func TestACopiedCookieEndsTheSession(t *testing.T) {
	h := newHarness(t)
	p := h.signUp("ada@x.example", "Acme")
	stolen := p.cookies()
	p.take(p.refresh())
	p.take(p.refresh())
	thief := h.person()
	thief.setCookies(stolen)
	_, err := thief.refresh()
	wantFault(t, err, fault.Unauthenticated, "fault.session.ended")
	_, err = p.refresh()
	wantFault(t, err, fault.Unauthenticated, "fault.session.ended")
	p.awaitRefusal("fault.session.revoked")
	if m := h.mailTo("ada@x.example"); !strings.Contains(m.Subject, "ended") {
		t.Error(m.Subject)
	}
}

func TestAnOldCookieAfterTheGrace(t *testing.T) {
	h := newHarness(t)
	p := h.signUp("ada@x.example", "Acme")
	first := p.cookies()
	p.take(p.refresh())
	h.exe("UPDATE sessions SET rotated_at = now() - interval '31 seconds'")
	p.setCookies(first)
	_, err := p.refresh()
	wantFault(t, err, fault.Unauthenticated, "fault.session.ended")
}

func TestForgedCookies(t *testing.T) {
	h := newHarness(t)
	p := h.signUp("ada@x.example", "Acme")
	good := p.cookies()[0]
	parts := strings.Split(good.Value, ".")
	for _, value := range []string{"", "x", parts[0] + ".1." + parts[2], parts[0] + ".0.", "other." + parts[1] + "." + parts[2]} {
		n := h.person()
		n.setCookies([]*http.Cookie{{Name: good.Name, Value: value}})
		_, err := n.refresh()
		wantFault(t, err, fault.Unauthenticated, "fault.session.ended")
	}
	p.take(p.refresh()) // and nobody was signed out by that
}

func TestSessionsEnd(t *testing.T) {
	h := newHarness(t)
	p := h.signUp("ada@x.example", "Acme")
	other := h.person()
	other.take(other.access().SignIn(t.Context(), &accessv1.SignInRequest{Email: "ada@x.example", Password: password}))

	if _, err := other.access().SignOut(t.Context(), &accessv1.SignOutRequest{}); err != nil {
		t.Fatal(err)
	}
	if len(other.cookies()) != 0 {
		t.Error("the cookie is still there")
	}
	other.awaitRefusal("fault.session.revoked")
	p.take(p.refresh())

	h.exe("UPDATE sessions SET expires_at = now() - interval '1 second'")
	_, err := p.refresh()
	wantFault(t, err, fault.Unauthenticated, "fault.session.ended")
}

func TestSignOutEverywhere(t *testing.T) {
	h := newHarness(t)
	p := h.signUp("ada@x.example", "Acme")
	other := h.person()
	other.take(other.access().SignIn(t.Context(), &accessv1.SignInRequest{Email: "ada@x.example", Password: password}))
	if _, err := other.access().SignOut(t.Context(), &accessv1.SignOutRequest{Everywhere: true}); err != nil {
		t.Fatal(err)
	}
	_, err := p.refresh()
	wantFault(t, err, fault.Unauthenticated, "fault.session.ended")
	p.awaitRefusal("fault.session.revoked")
	p.take(p.access().SignIn(t.Context(), &accessv1.SignInRequest{Email: "ada@x.example", Password: password}))
	if _, err := p.access().Me(t.Context(), &accessv1.MeRequest{}); err != nil {
		t.Error("a new session is refused for the old ones:", err)
	}
}

func TestAttemptsAreLimited(t *testing.T) {
	h, ctx := newHarness(t), t.Context()
	h.signUp("ada@x.example", "Acme")
	attempt := func(p *person, email, pass string) error {
		_, err := p.access().SignIn(ctx, &accessv1.SignInRequest{Email: email, Password: pass})
		return err
	}
	// From many addresses at one account, known or not: the same answers.
	for _, email := range []string{"ada@x.example", "nobody@x.example"} {
		for range 10 {
			wantFault(t, attempt(h.person(), email, "wrong password"), fault.Unauthenticated, "fault.sign_in.wrong")
		}
		f := wantFault(t, attempt(h.person(), email, password), fault.Exhausted, "fault.too_many_attempts")
		if f.RetryAfter <= 0 || f.RetryAfter > 30*time.Second {
			t.Errorf("retry after %v", f.RetryAfter)
		}
	}
	h.exe("UPDATE rate_limits SET at = at - interval '31 seconds'")
	if err := attempt(h.person(), "ada@x.example", password); err != nil {
		t.Error("after the wait:", err)
	}
	// From one address at many accounts: who knows their passwords is not counted.
	one := h.person()
	left := func() (tokens float64) {
		h.row("SELECT tokens FROM rate_limits WHERE key = 'sign_in_ip:"+one.ip+"'", &tokens)
		return tokens
	}
	for range 3 {
		if err := attempt(one, "ada@x.example", password); err != nil {
			t.Fatal(err)
		}
	}
	if got, full := left(), float64(access.PerAddress.Burst); got != full {
		t.Errorf("%v of %v left after successes", got, full)
	}
	wantFault(t, attempt(one, "first@x.example", "wrong password"), fault.Unauthenticated, "fault.sign_in.wrong")
	if got, full := left(), float64(access.PerAddress.Burst); got >= full {
		t.Errorf("%v of %v left after a failure", got, full)
	}
	h.exe("UPDATE rate_limits SET tokens = 0, at = now() + interval '1 minute'") // nothing comes back meanwhile
	wantFault(t, attempt(one, "second@x.example", password), fault.Exhausted, "fault.too_many_attempts")
}

func TestSecondFactor(t *testing.T) {
	h, ctx := newHarness(t), t.Context()
	p, secret, codes := h.withTotp(t)
	if me, _ := p.access().Me(ctx, &accessv1.MeRequest{}); !me.TotpEnabled || me.RecoveryCodesLeft != 10 {
		t.Fatalf("%v", me)
	}
	_, err := p.access().BeginTotp(ctx, &accessv1.BeginTotpRequest{})
	wantFault(t, err, fault.Conflict, "fault.totp.already")

	challenge := func() string {
		t.Helper()
		s, err := h.person().access().SignIn(ctx, &accessv1.SignInRequest{Email: p.me.Email, Password: password})
		if err != nil || s.AccessToken != "" || s.SecondFactorChallenge == "" || s.Me != nil {
			t.Fatalf("%v, %v", s, err)
		}
		return s.SecondFactorChallenge
	}
	answer := func(challenge, code string) (*accessv1.SessionResponse, error) {
		return h.person().access().SecondFactor(ctx, &accessv1.SecondFactorRequest{Challenge: challenge, Code: code})
	}
	// The code that turned TOTP on is used up; the next step's is good, once.
	var step int64
	h.row("SELECT max(totp_last_step) FROM account_secrets", &step)
	now, _ := totp.GenerateCode(secret, time.Unix(step*30, 0))
	next, _ := totp.GenerateCode(secret, time.Unix(step*30+30, 0))
	c := challenge()
	_, err = answer(c, now)
	wantFault(t, err, fault.Unauthenticated, "fault.code.wrong")
	s, err := answer(c, next)
	if err != nil || s.AccessToken == "" {
		t.Fatal(s, err)
	}
	_, err = answer(c, next)
	wantFault(t, err, fault.Unauthenticated, "fault.sign_in.timed_out")
	_, err = answer(challenge(), next)
	wantFault(t, err, fault.Unauthenticated, "fault.code.wrong")

	// A recovery code works once, however it is typed.
	if _, err := answer(challenge(), " "+strings.ToUpper(strings.ReplaceAll(codes[3], "-", " "))); err != nil {
		t.Fatal(err)
	}
	_, err = answer(challenge(), codes[3])
	wantFault(t, err, fault.Unauthenticated, "fault.code.wrong")

	// Six wrong codes end the attempt.
	c = challenge()
	for range 6 {
		_, err = answer(c, "000000")
		wantFault(t, err, fault.Unauthenticated, "fault.code.wrong")
	}
	_, err = answer(c, codes[4])
	wantFault(t, err, fault.Unauthenticated, "fault.sign_in.timed_out")

	_, err = p.access().RemoveTotp(ctx, &accessv1.RemoveTotpRequest{Password: "wrong password"})
	wantFault(t, err, fault.Invalid, "fault.password.wrong")
	if _, err := p.access().RemoveTotp(ctx, &accessv1.RemoveTotpRequest{Password: password}); err != nil {
		t.Fatal(err)
	}
	p.take(p.access().SignIn(ctx, &accessv1.SignInRequest{Email: p.me.Email, Password: password}))
	if p.me.TotpEnabled || p.me.RecoveryCodesLeft != 0 {
		t.Errorf("%v", p.me)
	}
}

func TestPasskeys(t *testing.T) {
	h, ctx := newHarness(t), t.Context()
	p := h.signUp("ada@x.example", "Acme")
	key, stranger := newPasskey(t), newPasskey(t)
	key.enrol(t, p)
	n := h.person()
	req := key.signInRequest(t, n)
	n.take(n.access().FinishPasskeySignIn(ctx, req))
	if n.me.Email != "ada@x.example" {
		t.Fatal(n.me)
	}
	_, err := h.person().access().FinishPasskeySignIn(ctx, req)
	wantFault(t, err, fault.Unauthenticated, "fault.passkey.timed_out")

	stranger.handle, stranger.id = key.handle, key.id // claims to be the key, signs with another
	_, err = n.access().FinishPasskeySignIn(ctx, stranger.signInRequest(t, n))
	wantFault(t, err, fault.Unauthenticated, "fault.passkey.refused")
	key.count = 0 // a copy of the authenticator, behind the original
	_, err = n.access().FinishPasskeySignIn(ctx, key.signInRequest(t, n))
	wantFault(t, err, fault.Unauthenticated, "fault.passkey.refused")

	list, err := p.access().ListPasskeys(ctx, &accessv1.ListPasskeysRequest{})
	if err != nil || len(list.Passkeys) != 1 || list.Passkeys[0].Name != "Test key" || list.Passkeys[0].LastUsedAt == nil {
		t.Fatal(list, err)
	}
	if _, err := p.access().RemovePasskey(ctx, &accessv1.RemovePasskeyRequest{Id: list.Passkeys[0].Id}); err != nil {
		t.Fatal(err)
	}
	key.count = 10
	_, err = n.access().FinishPasskeySignIn(ctx, key.signInRequest(t, n))
	wantFault(t, err, fault.Unauthenticated, "fault.passkey.refused")
}
