package main

import (
	"bytes"
	"context"
	_ "embed"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"os/exec"
	"os/user"
	"path/filepath"
	"strconv"
	"strings"
	"text/template"

	"trunkline/edge/enroll"
)

//go:embed trunkline-edge.service
var unitText string

var unitTemplate = template.Must(template.New("unit").Parse(unitText))

type installCommand struct {
	Data    string `type:"path" default:"/var/lib/trunkline-edge" help:"Directory of this node; it has joined."`
	User    string `default:"trunkline" help:"System user the node runs as; made if it is not there."`
	Unit    string `type:"path" default:"/etc/systemd/system/trunkline-edge.service" help:"Where the unit is written."`
	Print   bool   `help:"Print the unit and change nothing."`
	NoStart bool   `help:"Do not enable and start the service."`
}

// Run writes the unit, gives the directory to the user and starts the service.
func (c *installCommand) Run(ctx context.Context) error {
	program, err := os.Executable()
	if err != nil {
		return err
	}
	unit, err := c.unit(program)
	if err != nil {
		return err
	}
	if c.Print {
		_, err := os.Stdout.Write(unit)
		return err
	}
	if os.Geteuid() != 0 {
		return errors.New("install writes to " + c.Unit + ": run it as root, or use --print")
	}
	if _, err := enroll.Load(c.Data); err != nil {
		return err
	}
	if err := c.prepare(ctx); err != nil {
		return err
	}
	if err := os.WriteFile(c.Unit, unit, 0o644); err != nil {
		return err
	}
	fmt.Println("wrote", c.Unit)
	if err := execute(ctx, "systemctl", "daemon-reload"); err != nil || c.NoStart {
		return err
	}
	return execute(ctx, "systemctl", "enable", "--now", filepath.Base(c.Unit))
}

func (c *installCommand) unit(program string) ([]byte, error) {
	for _, s := range []string{program, c.Data, c.User} {
		if s == "" || strings.ContainsAny(s, " \t\n\"'\\%$") {
			return nil, fmt.Errorf("%q can not stand in a systemd unit: choose one without spaces and special characters", s)
		}
	}
	protectHome := "yes"
	if strings.HasPrefix(c.Data, "/home/") || strings.HasPrefix(c.Data, "/root/") || strings.HasPrefix(program, "/home/") {
		protectHome = "read-only"
	}
	var out bytes.Buffer
	err := unitTemplate.Execute(&out, map[string]string{"Program": program, "Data": c.Data, "User": c.User, "ProtectHome": protectHome})
	return out.Bytes(), err
}

// prepare makes the user and gives it the directory, which root has joined with.
func (c *installCommand) prepare(ctx context.Context) error {
	u, err := user.Lookup(c.User)
	if _, unknown := errors.AsType[user.UnknownUserError](err); unknown {
		if err := execute(ctx, "useradd", "--system", "--user-group", "--no-create-home", "--home-dir", c.Data, "--shell", "/usr/sbin/nologin", c.User); err != nil {
			return err
		}
		u, err = user.Lookup(c.User)
	}
	if err != nil {
		return err
	}
	uid, err1 := strconv.Atoi(u.Uid)
	gid, err2 := strconv.Atoi(u.Gid)
	if err := errors.Join(err1, err2); err != nil {
		return err
	}
	return filepath.WalkDir(c.Data, func(path string, _ fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		return os.Lchown(path, uid, gid)
	})
}

func execute(ctx context.Context, name string, args ...string) error {
	fmt.Println("+", name, strings.Join(args, " "))
	cmd := exec.CommandContext(ctx, name, args...)
	cmd.Stdout, cmd.Stderr = os.Stdout, os.Stderr
	return cmd.Run()
}
