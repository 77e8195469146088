package softphone

import (
	"context"
	"fmt"
	"log/slog"

	"github.com/pion/logging"
)

// pionLog gives pion's messages to our log. Most of its warnings are of the
// ordinary life of browsers, so they count as debugging here.
type pionLog struct{ log *slog.Logger }

// NewLogger is pion's factory.
func (p pionLog) NewLogger(scope string) logging.LeveledLogger {
	return pionLogger{p.log.With("webrtc", scope)}
}

type pionLogger struct{ log *slog.Logger }

func (p pionLogger) at(level slog.Level, format string, args []any) {
	if !p.log.Enabled(context.Background(), level) {
		return
	}
	if args != nil {
		format = fmt.Sprintf(format, args...)
	}
	p.log.Log(context.Background(), level, format)
}

func (p pionLogger) Trace(string)              {}
func (p pionLogger) Tracef(string, ...any)     {}
func (p pionLogger) Debug(string)              {}
func (p pionLogger) Debugf(string, ...any)     {}
func (p pionLogger) Info(m string)             { p.at(slog.LevelDebug, m, nil) }
func (p pionLogger) Infof(f string, a ...any)  { p.at(slog.LevelDebug, f, a) }
func (p pionLogger) Warn(m string)             { p.at(slog.LevelDebug, m, nil) }
func (p pionLogger) Warnf(f string, a ...any)  { p.at(slog.LevelDebug, f, a) }
func (p pionLogger) Error(m string)            { p.at(slog.LevelWarn, m, nil) }
func (p pionLogger) Errorf(f string, a ...any) { p.at(slog.LevelWarn, f, a) }
