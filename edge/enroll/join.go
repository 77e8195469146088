package enroll

import (
	"context"
	"crypto"
	"crypto/rand"
	"crypto/sha256"
	"crypto/x509"
	"crypto/x509/pkix"
	"errors"
	"fmt"
	"net"
	"net/netip"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"time"

	"google.golang.org/protobuf/proto"

	"trunkline/internal/durable"
	"trunkline/internal/join"
	edgev1 "trunkline/proto/gen/trunkline/edge/v1"
)

// Request is what a join is asked with.
type Request struct {
	Cloud string // the cloud's web address
	Token string
	Dir   string
	Name  string // DNS label, unique in the site
	// Listen holds the addresses; port 0 is replaced by a free one for good.
	Listen Addrs
	// AdvertiseWeb is the base URL browsers open; "" = http on the web address.
	AdvertiseWeb string
	// AdvertiseIP is the address others reach this machine by, behind NAT.
	AdvertiseIP string
	// Force joins anew in a directory that has joined. What it held of another
	// site or name is moved aside.
	Force   bool
	Version string
	// Say is told each step as it ends; may be nil.
	Say func(Step)
}

// Step is one line of the join log.
type Step struct {
	ID      string
	Message string
	Failed  bool
}

// ErrJoined means that the directory belongs to a node already.
var ErrJoined = errors.New("this directory has joined already; --force joins anew")

// Join makes this machine a node of the site whose token it is. All network
// steps are bounded by 10 s each. An error is a *Failure, or about the request.
func Join(ctx context.Context, r Request) (*Enrolment, error) {
	j, err := newJoiner(r)
	if err != nil {
		return nil, err
	}
	defer j.close()
	steps := []func(context.Context) (string, *Failure){j.dns, j.cloud, j.clock, j.authority, j.ports, j.certificate, j.save}
	ids := []string{StepDNS, StepCloud, StepClock, StepCA, StepPorts, StepCertificate, StepSaved}
	for i, step := range steps {
		message, failure := step(ctx)
		if failure != nil {
			j.tell(ctx, Step{ids[i], failure.Error(), true})
			return nil, failure
		}
		j.tell(ctx, Step{ids[i], message, false})
	}
	return Load(r.Dir)
}

// stepTime bounds one exchange with the outside.
const stepTime = 10 * time.Second

type joiner struct {
	Request
	token join.Token
	url   *url.URL

	found    Discovered
	contact  *contact
	waiting  []*edgev1.ReportJoinRequest // until there is a contact
	key      crypto.Signer
	old      *Node
	answer   *edgev1.JoinResponse
	identity []byte
	public   Public
}

func newJoiner(r Request) (*joiner, error) {
	j := &joiner{Request: r}
	var err error
	if j.token, err = join.Parse(r.Token); err != nil {
		return nil, errors.New("--token is not a join token; it begins with tlj1_ and must be copied whole from the site's page")
	}
	if j.url, err = ParseCloud(r.Cloud); err != nil {
		return nil, fmt.Errorf("--cloud: %w", err)
	}
	if !join.ValidNodeName(r.Name) {
		return nil, fmt.Errorf("--name %q: use 1 to 63 lower-case letters, digits and hyphens", r.Name)
	}
	if r.AdvertiseIP != "" {
		if _, err := netip.ParseAddr(r.AdvertiseIP); err != nil {
			return nil, fmt.Errorf("--advertise-ip %q is not an IP address", r.AdvertiseIP)
		}
	}
	if r.AdvertiseWeb != "" {
		u, err := ParseCloud(r.AdvertiseWeb)
		if err != nil {
			return nil, fmt.Errorf("--advertise-web: %w", err)
		}
		j.AdvertiseWeb = u.String()
	}
	if e, err := Load(r.Dir); err == nil {
		if !r.Force {
			return nil, fmt.Errorf("%s is node %s of site %s: %w", r.Dir, e.Node().Name, e.Node().SiteName, ErrJoined)
		}
		n := e.Node()
		j.old = &n
	} else if !errors.Is(err, ErrNotJoined) && !r.Force {
		return nil, fmt.Errorf("%s can not be read, and will not be overwritten without --force: %w", r.Dir, err)
	}
	return j, nil
}

func (j *joiner) close() {
	if j.contact != nil {
		j.contact.close()
	}
}

// tell says a step here and on the site's page. Before the cloud has proved who
// it is nothing is sent; the steps until then are sent at that moment.
func (j *joiner) tell(ctx context.Context, s Step) {
	if j.Say != nil {
		j.Say(s)
	}
	if s.ID == StepCertificate && !s.Failed {
		return // the cloud has logged it when it signed
	}
	j.waiting = append(j.waiting, &edgev1.ReportJoinRequest{
		Token: j.token.String(), NodeName: j.Name, Step: s.ID, Message: truncate(s.Message, 1000), Failed: s.Failed,
	})
	if j.contact == nil && s.Failed && s.ID == StepClock {
		j.contact = newContact(j.token, j.found)
	}
	if j.contact != nil {
		j.contact.report(ctx, j.waiting)
		j.waiting = nil
	}
}

func (j *joiner) dns(ctx context.Context) (string, *Failure) {
	host := j.url.Hostname()
	if _, err := netip.ParseAddr(host); err == nil {
		return "DNS: not needed, the cloud is given by its address " + host, nil
	}
	ctx, cancel := context.WithTimeout(ctx, stepTime)
	defer cancel()
	addrs, err := net.DefaultResolver.LookupHost(ctx, host)
	if err != nil {
		return "", failDNS(host, err)
	}
	return fmt.Sprintf("DNS: %s is %s", host, strings.Join(addrs, ", ")), nil
}

func (j *joiner) cloud(ctx context.Context) (string, *Failure) {
	ctx, cancel := context.WithTimeout(ctx, stepTime)
	defer cancel()
	found, err := Discover(ctx, nil, j.url)
	if err != nil {
		return "", failCloud(j.url.String(), hostPort(j.url), err)
	}
	j.found = found
	return fmt.Sprintf("Cloud: %s answers, version %s", j.url, found.Version), nil
}

func (j *joiner) clock(context.Context) (string, *Failure) {
	if off := j.found.Offset; off.Abs()-j.found.RoundTrip/2 > MaxClockOff {
		return "", failClock(off)
	}
	return fmt.Sprintf("Clock: %d ms from the cloud's", j.found.Offset.Milliseconds()), nil
}

func (j *joiner) authority(ctx context.Context) (string, *Failure) {
	j.contact = newContact(j.token, j.found)
	if err := j.contact.prove(ctx); err != nil {
		return "", failCA(j.found.NodeAddr, err)
	}
	return fmt.Sprintf("Certificate authority: the node port %s shows the one in the token", j.found.NodeAddr), nil
}

func (j *joiner) ports(context.Context) (string, *Failure) {
	if err := j.prepare(); err != nil {
		return "", failSaving(j.Dir, err)
	}
	listen, err := j.Listen.choose()
	if err != nil {
		return "", failPorts(err)
	}
	j.Listen = listen
	host := func(addr string) string { return withPort(publicHost(addr, j.AdvertiseIP, j.url.Hostname()), addr) }
	j.public = Public{Web: j.AdvertiseWeb, Node: host(listen.Node), SIP: host(listen.SIP), IP: j.AdvertiseIP}
	if j.public.Web == "" {
		j.public.Web = "http://" + host(listen.Web)
	}
	return fmt.Sprintf("Addresses: web %s, nodes %s, SIP %s", j.public.Web, j.public.Node, j.public.SIP), nil
}

func (j *joiner) prepare() error {
	if err := os.MkdirAll(j.Dir, 0o700); err != nil {
		return err
	}
	if err := os.Chmod(j.Dir, 0o700); err != nil {
		return err
	}
	var err error
	j.key, err = joiningKey(j.Dir)
	return err
}

func (j *joiner) certificate(ctx context.Context) (string, *Failure) {
	csr, err := newCSR(j.key, j.Name)
	if err != nil {
		return "", failJoin(err)
	}
	ctx, cancel := context.WithTimeout(ctx, 2*stepTime)
	defer cancel()
	res, err := j.contact.client.Join(ctx, &edgev1.JoinRequest{
		Token: j.token.String(), Csr: csr, NodeName: j.Name, NodeAddr: j.public.Node, WebUrl: j.public.Web,
		Version: j.Version, SipAddr: j.public.SIP,
	})
	if err != nil {
		return "", failJoin(err)
	}
	j.answer = res
	leaf, err := j.checkAnswer()
	if err != nil {
		return "", failJoin(fmt.Errorf("the certificate is not as it must be: %w", err))
	}
	return fmt.Sprintf("Certificate: signed for node %s of site %s, until %s", j.Name, j.answer.SiteName, leaf.NotAfter.UTC().Format(time.DateOnly)), nil
}

// checkAnswer trusts the cloud, not the wire's luck: a certificate that does not
// fit would only be noticed at the first connection.
func (j *joiner) checkAnswer() (*x509.Certificate, error) {
	a := j.answer
	if len(a.CertificateChain) == 0 {
		return nil, errors.New("there is none")
	}
	if sha256.Sum256(a.Ca) != j.token.CA {
		return nil, errWrongCA
	}
	ca, err := x509.ParseCertificate(a.Ca)
	if err != nil {
		return nil, err
	}
	leaf, err := x509.ParseCertificate(a.CertificateChain[0])
	if err != nil {
		return nil, err
	}
	if err := checkLeaf(leaf, j.key.Public(), a.SiteId, j.Name); err != nil {
		return nil, err
	}
	pool := x509.NewCertPool()
	pool.AddCert(ca)
	if err := verify(leaf, a.CertificateChain[1:], pool, "", leaf.NotBefore.Add(time.Second)); err != nil {
		return nil, err
	}
	j.identity, err = encodeIdentity(j.key, a.CertificateChain, a.Ca)
	return leaf, err
}

func (j *joiner) save(context.Context) (string, *Failure) {
	if err := j.write(); err != nil {
		return "", failSaving(j.Dir, err)
	}
	return "Saved: " + j.Dir, nil
}

func (j *joiner) write() error {
	a := j.answer
	if j.old != nil && (j.old.Site != a.SiteId || j.old.Name != j.Name) {
		if err := setAside(j.Dir, j.old); err != nil {
			return err
		}
	}
	site, err := proto.MarshalOptions{Deterministic: true}.Marshal(a.Config)
	if err != nil {
		return err
	}
	if err := durable.WriteFile(filepath.Join(j.Dir, siteFile), site); err != nil {
		return err
	}
	if err := durable.WriteFile(filepath.Join(j.Dir, identityFile), j.identity); err != nil {
		return err
	}
	err = saveNode(j.Dir, Node{
		Format: format, Name: j.Name, Site: a.SiteId, SiteName: a.SiteName,
		Cloud: j.url.String(), CloudNode: j.found.NodeAddr, Bootstrap: a.Bootstrap, Epoch: a.Epoch,
		Joined: time.Now().UTC().Truncate(time.Second), Listen: j.Listen, Public: j.public,
	})
	if err != nil {
		return err
	}
	// The key is in identity.pem; a later join begins with its own.
	if err := os.Remove(filepath.Join(j.Dir, joiningFile)); err != nil && !errors.Is(err, os.ErrNotExist) {
		return err
	}
	return nil
}

// setAside moves what a directory holds of another identity into a folder of it:
// a log of one site must never be opened as another's.
func setAside(dir string, old *Node) error {
	entries, err := os.ReadDir(dir)
	if err != nil {
		return err
	}
	to := filepath.Join(dir, fmt.Sprintf("before-%s-%s", old.Name, time.Now().UTC().Format("20060102T150405")))
	if err := os.Mkdir(to, 0o700); err != nil {
		return err
	}
	for _, e := range entries {
		if e.Name() == joiningFile || strings.HasPrefix(e.Name(), "before-") {
			continue
		}
		if err := os.Rename(filepath.Join(dir, e.Name()), filepath.Join(to, e.Name())); err != nil {
			return err
		}
	}
	return durable.SyncDir(dir)
}

func newCSR(key crypto.Signer, name string) ([]byte, error) {
	return x509.CreateCertificateRequest(rand.Reader, &x509.CertificateRequest{Subject: pkix.Name{CommonName: name}}, key)
}

func hostPort(u *url.URL) string {
	port := u.Port()
	if port == "" {
		port = map[string]string{"http": "80", "https": "443"}[u.Scheme]
	}
	return net.JoinHostPort(u.Hostname(), port)
}

func truncate(s string, n int) string {
	if len(s) <= n {
		return s
	}
	return strings.ToValidUTF8(s[:n], "")
}
