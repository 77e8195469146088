// trunkline-edge is one node of a site. `trunkline-edge join` makes this machine
// a node, `run` runs it, `status` and `doctor` say how it is, `install` makes it
// a service.
package main

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"os/signal"
	"syscall"

	"github.com/alecthomas/kong"
)

// version is set by the linker.
var version = "dev"

type program struct {
	LogLevel  string           `enum:"debug,info,warn,error" default:"info" env:"TRUNKLINE_LOG_LEVEL" help:"Least level to log."`
	LogFormat string           `enum:"text,json" default:"json" env:"TRUNKLINE_LOG_FORMAT" help:"Form of the log on standard error."`
	Version   kong.VersionFlag `help:"Print the version."`

	Join    joinCommand    `cmd:"" help:"Make this machine a node of a site."`
	Run     runCommand     `cmd:"" help:"Run the node."`
	Status  statusCommand  `cmd:"" help:"Show the running node of this machine; needs no cloud."`
	Doctor  doctorCommand  `cmd:"" help:"Check network, clock, ports, disk and certificate, and say what to do."`
	Install installCommand `cmd:"" help:"Write the systemd unit."`
	Print   versionCommand `cmd:"" name:"version" help:"Print the version."`
}

func main() {
	var p program
	k := kong.Parse(&p, kong.Name("trunkline-edge"), kong.Description("One node of a Trunkline site."),
		kong.Vars{"version": version}, kong.UsageOnError())
	var level slog.Level
	_ = level.UnmarshalText([]byte(p.LogLevel)) // one of the enum
	opts := &slog.HandlerOptions{Level: level}
	var handler slog.Handler = slog.NewJSONHandler(os.Stderr, opts)
	if p.LogFormat == "text" {
		handler = slog.NewTextHandler(os.Stderr, opts)
	}
	slog.SetDefault(slog.New(handler))
	ctx, stop := signal.NotifyContext(context.Background(), syscall.SIGINT, syscall.SIGTERM)
	defer stop()
	k.BindTo(ctx, (*context.Context)(nil))
	err := k.Run()
	if errors.Is(err, errSaid) {
		stop()
		os.Exit(1) //nolint:gocritic // stop has run
	}
	k.FatalIfErrorf(err)
}

// errSaid ends the program with code 1; what is wrong has been printed.
var errSaid = errors.New("said already")

type versionCommand struct{}

// Run prints the version.
func (versionCommand) Run() error {
	fmt.Println(version)
	return nil
}
