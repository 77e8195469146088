// trunkline-cloud is the control plane. `trunkline-cloud serve` runs it;
// `trunkline-cloud admin create` makes a platform admin.
package main

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"log/slog"
	"os"
	"os/signal"
	"strings"
	"syscall"
	"time"

	"github.com/alecthomas/kong"

	"trunkline/cloud/server"
	"trunkline/internal/durable"
)

// version is set by the linker.
var version = "dev"

type program struct {
	LogLevel string           `enum:"debug,info,warn,error" default:"info" env:"TRUNKLINE_LOG_LEVEL" help:"Least level to log."`
	Version  kong.VersionFlag `help:"Print the version."`

	Serve serveCommand `cmd:"" help:"Run the control plane."`
	Admin struct {
		Create adminCommand `cmd:"" help:"Make a platform admin, or set the password of one."`
	} `cmd:"" help:"Platform staff."`
	Site   siteCommands   `cmd:"" help:"Hosted sites."`
	Trunk  trunkCommands  `cmd:"" help:"The platform's trunks."`
	Number numberCommands `cmd:"" help:"Numbers on the platform's trunks."`

	Dialling diallingCommands `cmd:"" help:"Calls over the platform's trunks."`
}

func main() {
	var p program
	k := kong.Parse(&p, kong.Name("trunkline-cloud"), kong.Description("Trunkline control plane."),
		kong.Vars{"version": version}, kong.UsageOnError())
	var level slog.Level
	_ = level.UnmarshalText([]byte(p.LogLevel)) // one of the enum
	slog.SetDefault(slog.New(slog.NewJSONHandler(os.Stderr, &slog.HandlerOptions{Level: level})))
	ctx, stop := signal.NotifyContext(context.Background(), syscall.SIGINT, syscall.SIGTERM)
	defer stop()
	k.BindTo(ctx, (*context.Context)(nil))
	k.FatalIfErrorf(k.Run())
}

type serveCommand struct {
	WebAddr        string `default:"127.0.0.1:8400" env:"TRUNKLINE_WEB_ADDR" help:"Address of the web app and its RPCs."`
	NodeAddr       string `default:"127.0.0.1:9400" env:"TRUNKLINE_NODE_ADDR" help:"Address edge nodes dial (mutual TLS)."`
	MetricsAddr    string `default:"127.0.0.1:0" env:"TRUNKLINE_METRICS_ADDR" help:"Address of /metrics and /healthz; empty for none."`
	PublicURL      string `name:"public-url" env:"TRUNKLINE_PUBLIC_URL" help:"Address people open; that of the web listener if empty."`
	NodePublicAddr string `env:"TRUNKLINE_NODE_PUBLIC_ADDR" help:"host:port nodes reach the node listener by."`
	TLSCert        string `name:"tls-cert" type:"existingfile" env:"TRUNKLINE_TLS_CERT" help:"PEM certificate chain of the web listener."`
	TLSKey         string `name:"tls-key" type:"existingfile" env:"TRUNKLINE_TLS_KEY" help:"PEM key of the web listener."`
	TrustForwarded bool   `env:"TRUNKLINE_TRUST_FORWARDED" help:"Take client addresses from X-Forwarded-For: behind a proxy only."`
	ReadyFile      string `type:"path" env:"TRUNKLINE_READY_FILE" help:"Write the ready line to this file as well."`

	database `embed:""`
	mail     `embed:""`
	relay    `embed:""`
}

type database struct {
	Data         string `type:"path" default:"trunkline-data" env:"TRUNKLINE_DATA" help:"Directory for what is not in the database."`
	DatabaseURL  string `name:"database-url" env:"TRUNKLINE_DATABASE_URL" help:"PostgreSQL; a private one under --data if empty."`
	MigrationURL string `name:"migration-url" env:"TRUNKLINE_MIGRATION_URL" help:"The same database as a role that may change the schema."`
	FastDatabase bool   `hidden:"" env:"TRUNKLINE_FAST_DATABASE" help:"Private PostgreSQL without durability, for tests."`
}

type mail struct {
	SMTPAddr string `name:"smtp-addr" env:"TRUNKLINE_SMTP_ADDR" help:"host:port of the mail server; without one mail is kept unsent."`
	SMTPUser string `name:"smtp-user" env:"TRUNKLINE_SMTP_USER" help:"User at the mail server."`
	SMTPPass string `name:"smtp-password" env:"TRUNKLINE_SMTP_PASSWORD" help:"Password at the mail server."`
	MailFrom string `default:"Trunkline <no-reply@localhost>" env:"TRUNKLINE_MAIL_FROM" help:"Sender of mail."`
}

type adminCommand struct {
	Email         string `required:"" help:"Address to sign in with."`
	PasswordStdin bool   `required:"" help:"Read the password from standard input."`

	database `embed:""`
}

// Run makes the admin; the password never stands on a command line.
func (c *adminCommand) Run(ctx context.Context) error {
	b, err := io.ReadAll(io.LimitReader(os.Stdin, 1024))
	if err != nil {
		return err
	}
	cfg := server.Config{Data: c.Data, DatabaseURL: c.DatabaseURL, MigrationURL: c.MigrationURL}
	if err := server.CreateAdmin(ctx, cfg, c.Email, strings.TrimRight(string(b), "\r\n")); err != nil {
		return err
	}
	fmt.Println("platform admin:", c.Email)
	return nil
}

// stopTime bounds an orderly end; the supervisor kills after that.
const stopTime = 20 * time.Second

// Run serves until a signal comes.
func (c *serveCommand) Run(ctx context.Context) error {
	turn, err := c.relay.config()
	if err != nil {
		return err
	}
	srv := server.New(server.Config{
		WebAddr: c.WebAddr, NodeAddr: c.NodeAddr, MetricsAddr: c.MetricsAddr,
		PublicURL: c.PublicURL, NodePublicAddr: c.NodePublicAddr, TLSCert: c.TLSCert, TLSKey: c.TLSKey, TrustForwarded: c.TrustForwarded,
		Data: c.Data, DatabaseURL: c.DatabaseURL, MigrationURL: c.MigrationURL, FastDatabase: c.FastDatabase,
		SMTPAddr: c.SMTPAddr, SMTPUser: c.SMTPUser, SMTPPass: c.SMTPPass, MailFrom: c.MailFrom, Turn: turn, Version: version,
	})
	if err := srv.Start(ctx); err != nil {
		return err
	}
	defer func() {
		ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), stopTime)
		defer cancel()
		if err := srv.Stop(ctx); err != nil {
			slog.Error("stopping", "error", err)
		}
	}()
	var line bytes.Buffer
	enc := json.NewEncoder(&line)
	enc.SetEscapeHTML(false)
	if err := enc.Encode(srv.Ready()); err != nil {
		return err
	}
	if c.ReadyFile != "" {
		if err := durable.WriteFile(c.ReadyFile, line.Bytes()); err != nil {
			return err
		}
		defer os.Remove(c.ReadyFile)
	}
	fmt.Print(line.String())
	select {
	case <-ctx.Done():
		slog.Info("stopping")
		return nil
	case err := <-srv.Failed():
		return err
	}
}
