package harness

import (
	"context"
	"fmt"
	"net/http"
	"net/http/cookiejar"
	"net/url"
	"regexp"
	"strings"

	accessv1 "trunkline/proto/gen/trunkline/access/v1"
	"trunkline/proto/gen/trunkline/access/v1/accessv1connect"
	cloudv1 "trunkline/proto/gen/trunkline/cloud/v1"
	"trunkline/proto/gen/trunkline/cloud/v1/cloudv1connect"
)

// Password of every person the harness signs up.
const Password = "correct horse 42"

// Person is somebody signed in to the cloud, through the same RPCs the web app uses.
type Person struct {
	Email, Name string
	Tenant      int64
	Slug        string
	Membership  string
	Token       string

	web    string
	client *http.Client
}

func newPerson(web, email string) *Person {
	jar, _ := cookiejar.New(nil) // never fails without options
	p := &Person{Email: email, web: web}
	p.client = &http.Client{Jar: jar, Transport: bearer{p}}
	return p
}

// bearer adds the person's token.
type bearer struct{ p *Person }

func (b bearer) RoundTrip(r *http.Request) (*http.Response, error) {
	if b.p.Token != "" {
		r = r.Clone(r.Context())
		r.Header.Set("Authorization", "Bearer "+b.p.Token)
	}
	return http.DefaultTransport.RoundTrip(r)
}

func (p *Person) take(s *accessv1.SessionResponse) {
	p.Token = s.GetAccessToken()
	p.Tenant = s.GetMe().GetMembership().GetTenantId()
	p.Slug = s.GetMe().GetMembership().GetSlug()
	p.Membership = s.GetMe().GetMembership().GetId()
	p.Name = s.GetMe().GetDisplayName()
}

// Access, Sites, Routing, Onboarding, Calls, Reports, Live and Console are the
// cloud's services as this person.
func (p *Person) Access() accessv1connect.AccessServiceClient {
	return accessv1connect.NewAccessServiceClient(p.client, p.web)
}

func (p *Person) Sites() cloudv1connect.SiteServiceClient {
	return cloudv1connect.NewSiteServiceClient(p.client, p.web)
}

func (p *Person) Routing() cloudv1connect.RoutingServiceClient {
	return cloudv1connect.NewRoutingServiceClient(p.client, p.web)
}

func (p *Person) Onboarding() cloudv1connect.OnboardingServiceClient {
	return cloudv1connect.NewOnboardingServiceClient(p.client, p.web)
}

func (p *Person) Calls() cloudv1connect.CallServiceClient {
	return cloudv1connect.NewCallServiceClient(p.client, p.web)
}

func (p *Person) Reports() cloudv1connect.ReportServiceClient {
	return cloudv1connect.NewReportServiceClient(p.client, p.web)
}

func (p *Person) Live() cloudv1connect.LiveServiceClient {
	return cloudv1connect.NewLiveServiceClient(p.client, p.web)
}

func (p *Person) Console() cloudv1connect.ConsoleServiceClient {
	return cloudv1connect.NewConsoleServiceClient(p.client, p.web)
}

// SignUp makes a tenant: the mail is waited for and its link followed.
func (c *Cluster) SignUp(ctx context.Context, email, company, language string) (*Person, error) {
	p := newPerson(c.Web, email)
	_, err := p.Access().SignUp(ctx, &accessv1.SignUpRequest{
		Email: email, Password: Password, Company: company, Language: language,
		DisplayName: nameOf(email), TimeZone: "UTC",
	})
	if err != nil {
		return nil, fmt.Errorf("sign up %s: %w", email, err)
	}
	token, err := c.mailedToken(ctx, email)
	if err != nil {
		return nil, err
	}
	s, err := p.Access().ConfirmEmail(ctx, &accessv1.ConfirmEmailRequest{Token: token})
	if err != nil {
		return nil, fmt.Errorf("confirm %s: %w", email, err)
	}
	p.take(s)
	return p, nil
}

// SignIn signs an existing person in with the harness's password.
func (c *Cluster) SignIn(ctx context.Context, email string) (*Person, error) {
	p := newPerson(c.Web, email)
	s, err := p.Access().SignIn(ctx, &accessv1.SignInRequest{Email: email, Password: Password})
	if err != nil {
		return nil, fmt.Errorf("sign in %s: %w", email, err)
	}
	p.take(s)
	return p, nil
}

// Invite lets owner invite a person, who accepts by the mailed link.
func (c *Cluster) Invite(ctx context.Context, owner *Person, email, name string, roles ...string) (*Person, error) {
	_, err := owner.Access().InviteMember(ctx, &accessv1.InviteMemberRequest{Email: email, Roles: roles})
	if err != nil {
		return nil, fmt.Errorf("invite %s: %w", email, err)
	}
	token, err := c.mailedToken(ctx, email)
	if err != nil {
		return nil, err
	}
	p := newPerson(c.Web, email)
	s, err := p.Access().AcceptInvitation(ctx, &accessv1.AcceptInvitationRequest{
		Token: token, DisplayName: name, Password: Password,
	})
	if err != nil {
		return nil, fmt.Errorf("accept invitation of %s: %w", email, err)
	}
	p.take(s)
	return p, nil
}

var tokenInLink = regexp.MustCompile(`https?://\S+[?&]token=([^\s&>"]+)`)

// mailedToken is the token in the link of the newest mail to the address.
func (c *Cluster) mailedToken(ctx context.Context, email string) (string, error) {
	m, err := c.Mailbox.Wait(ctx, email, func(m Mail) bool { return tokenInLink.MatchString(m.Text) })
	if err != nil {
		return "", err
	}
	return url.QueryUnescape(tokenInLink.FindStringSubmatch(m.Text)[1])
}

func nameOf(email string) string {
	name, _, _ := strings.Cut(email, "@")
	return strings.ToUpper(name[:1]) + name[1:]
}

// UseHostedSite assigns the person's tenant to the hosted site; the platform
// gives it the number, if one is named, because the trunk is shared.
func (c *Cluster) UseHostedSite(ctx context.Context, p *Person, e164 string) error {
	if _, err := p.Sites().UseHostedSite(ctx, &cloudv1.UseHostedSiteRequest{}); err != nil {
		return fmt.Errorf("use hosted site: %w", err)
	}
	if e164 == "" {
		return nil
	}
	_, err := c.CloudCommand(ctx, "", "number", "add", "--tenant", p.Slug, "--e164", e164)
	return err
}
