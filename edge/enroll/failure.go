package enroll

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"net"
	"net/url"
	"syscall"
	"time"

	"trunkline/internal/fault"
	"trunkline/internal/join"
	edgev1 "trunkline/proto/gen/trunkline/edge/v1"
)

// Steps of a join, in order; the names go into the site's join log.
const (
	StepDNS         = "dns"
	StepCloud       = "cloud"
	StepClock       = "clock"
	StepCA          = "ca"
	StepPorts       = "ports"
	StepCertificate = "certificate"
	StepSaved       = "saved"
)

// Failure is a step of the join that failed, in words for a person.
type Failure struct {
	Step    string
	Message string // what is wrong
	Advice  string // what to do about it
	Cause   error
}

// Error gives both sentences.
func (f *Failure) Error() string { return f.Message + " " + f.Advice }

// Unwrap gives the cause.
func (f *Failure) Unwrap() error { return f.Cause }

func failDNS(host string, err error) *Failure {
	if e, ok := errors.AsType[*net.DNSError](err); ok && e.IsNotFound {
		return &Failure{
			StepDNS, fmt.Sprintf("DNS does not know the name %s.", host),
			"Check the spelling of --cloud; if it is right, the name server of this machine (/etc/resolv.conf) does not know it.", err,
		}
	}
	return &Failure{
		StepDNS, fmt.Sprintf("DNS gives no answer about %s.", host),
		"Check the name servers in /etc/resolv.conf and that this machine may reach them (UDP and TCP port 53).", err,
	}
}

func failCloud(address, hostport string, err error) *Failure {
	f := &Failure{Step: StepCloud, Cause: err}
	switch why := unreachable(err); {
	case why != "":
		f.Message = fmt.Sprintf("The cloud at %s can not be reached: %s.", address, why)
		f.Advice = fmt.Sprintf("Check --cloud, that the cloud runs, and that the firewall lets TCP out to %s.", hostport)
	case isCertificate(err):
		f.Message = fmt.Sprintf("The web certificate of %s is not trusted by this machine: %v.", address, err)
		f.Advice = "Check --cloud and this machine's clock; a private certificate authority must be installed in the system's trust store."
	case errors.Is(err, ErrNoCloud):
		f.Message = fmt.Sprintf("%s answers, but is not a Trunkline cloud.", address)
		f.Advice = "Check --cloud: it is the address the administration is opened at, without a path."
	default:
		f.Message = fmt.Sprintf("The cloud at %s did not answer as expected: %v.", address, err)
		f.Advice = "Check --cloud and try again."
	}
	return f
}

func failClock(off time.Duration) *Failure {
	word := "ahead of"
	if off < 0 {
		word, off = "behind", -off
	}
	return &Failure{
		StepClock, fmt.Sprintf("This machine's clock is %s %s the cloud's; at most %s is allowed.", off.Round(100*time.Millisecond), word, MaxClockOff),
		"Turn on time synchronisation (timedatectl set-ntp true, or chrony) and run the command again.", nil,
	}
}

func failCA(addr string, err error) *Failure {
	f := &Failure{Step: StepCA, Cause: err}
	switch why := unreachable(err); {
	case errors.Is(err, errWrongCA):
		f.Message = fmt.Sprintf("The node port %s shows another certificate authority than the token names.", addr)
		f.Advice = "The token is of another cloud, or somebody stands between: check --cloud, and create a new token on the site's page there."
	case why != "":
		f.Message = fmt.Sprintf("The cloud's node port %s can not be reached: %s.", addr, why)
		f.Advice = fmt.Sprintf("Let this machine connect out to %s (TCP) in the firewall, or have the cloud's node address corrected.", addr)
	default:
		f.Message = fmt.Sprintf("The cloud's node port %s did not prove who it is: %v.", addr, err)
		f.Advice = "Nothing may take TLS apart between this machine and the cloud; ask whoever runs the network."
	}
	return f
}

func failPorts(err error) *Failure {
	f := &Failure{Step: StepPorts, Message: fmt.Sprintf("An address can not be used: %v.", err), Cause: err}
	switch {
	case errors.Is(err, syscall.EADDRINUSE):
		f.Advice = "Another program uses the port: stop it (ss -lntup shows it) or give another port."
	case errors.Is(err, syscall.EADDRNOTAVAIL):
		f.Advice = "This machine does not have that IP address (ip addr lists them); behind NAT listen on the private one and give --advertise-ip."
	case errors.Is(err, syscall.EACCES):
		f.Advice = "Ports below 1024 need the right to bind them: choose a higher one, or run the installed service."
	default:
		f.Advice = "Correct the flag and run the command again."
	}
	return f
}

// failJoin puts the cloud's refusal into words; its keys are the cloud's.
func failJoin(err error) *Failure {
	f := &Failure{Step: StepCertificate, Cause: err}
	e := fault.Of(err)
	again := "Create a new token on the site's page and run the command with it."
	switch e.Key {
	case "fault.join.token_spent":
		f.Message, f.Advice = "The token has been used already; each works once.", again
	case "fault.join.token_expired":
		f.Message, f.Advice = "The token is too old; each works for 15 minutes.", again
	case "fault.join.token_unknown", "fault.join.token_malformed", "fault.join.token_of_another_cloud":
		f.Message, f.Advice = "The cloud does not know this token.", "Check that it was copied whole and is of this cloud, or create a new one on the site's page."
	default:
		if why := unreachable(err); why != "" || e.Kind == fault.Unavailable {
			f.Message = "The cloud went away while it was asked for the certificate."
			f.Advice = "Run the same command again: the token still works with this directory."
			return f
		}
		f.Message = fmt.Sprintf("The cloud refused the join (%s).", e.Key)
		f.Advice = "Try again with a new token; if it stays, tell the platform's operator."
		if e.Reference != "" {
			f.Advice += " Reference " + e.Reference + "."
		}
	}
	return f
}

func failSaving(dir string, err error) *Failure {
	return &Failure{
		StepSaved, fmt.Sprintf("The directory %s can not be written: %v.", dir, err),
		"Check its owner and free space, then run the same command again: the token still works with this directory.", err,
	}
}

// unreachable says why no connection came about, "" for any other error.
func unreachable(err error) string {
	switch {
	case errors.Is(err, syscall.ECONNREFUSED):
		return "the port is closed (connection refused)"
	case errors.Is(err, syscall.EHOSTUNREACH), errors.Is(err, syscall.ENETUNREACH):
		return "there is no route to it"
	case errors.Is(err, context.DeadlineExceeded), isTimeout(err):
		return "no answer in time, as when a firewall drops the packets"
	case errors.Is(err, syscall.ECONNRESET):
		return "the connection was cut"
	}
	if e, ok := errors.AsType[*net.DNSError](err); ok {
		return "DNS does not know " + e.Name
	}
	return ""
}

func isTimeout(err error) bool {
	e, ok := errors.AsType[net.Error](err)
	return ok && e.Timeout()
}

func isCertificate(err error) bool {
	_, unknown := errors.AsType[x509.UnknownAuthorityError](err)
	_, verification := errors.AsType[*tls.CertificateVerificationError](err)
	return unknown || verification
}

// CloudFailure puts into words that the cloud's web address does not answer as it
// should; err is Discover's.
func CloudFailure(cloud *url.URL, err error) *Failure {
	if cloud == nil {
		return &Failure{StepCloud, "The cloud's address is not known.", "Give --cloud.", err}
	}
	return failCloud(cloud.String(), hostPort(cloud), err)
}

// NodePortFailure puts into words that the cloud's node port does not answer as
// it should.
func NodePortFailure(addr string, err error) *Failure { return failCA(addr, err) }

// CheckToken asks the cloud about a token without spending it: nil, or what is
// wrong. The question stands in the site's join log.
func CheckToken(ctx context.Context, t join.Token, found Discovered) *Failure {
	c := newContact(t, found)
	defer c.close()
	if err := c.prove(ctx); err != nil {
		return failCA(found.NodeAddr, err)
	}
	_, err := c.client.ReportJoin(ctx, &edgev1.ReportJoinRequest{
		Token: t.String(), NodeName: "doctor", Step: "doctor", Message: "The doctor asked whether the token is known.",
	})
	if err != nil {
		return failJoin(err)
	}
	return nil
}
