package pgtest

import (
	"context"
	"slices"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"
)

// patience bounds what a test waits for; far more than it ever takes.
const patience = 3 * time.Minute

// Rows gives the one column of what the query finds, as text, past all row-level
// security. It may change something: "... RETURNING x::text".
func (d Database) Rows(t testing.TB, sql string, args ...any) []string {
	t.Helper()
	conn, err := pgx.Connect(t.Context(), d.Super)
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close(context.WithoutCancel(t.Context()))
	return rows(t, conn, sql, args...)
}

// Await waits until the query finds want. It is for what nothing but the database
// tells.
func (d Database) Await(t testing.TB, sql string, want ...string) {
	t.Helper()
	conn, err := pgx.Connect(t.Context(), d.Super)
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close(context.WithoutCancel(t.Context()))
	tick := time.NewTicker(5 * time.Millisecond)
	defer tick.Stop()
	for deadline := time.Now().Add(patience); ; <-tick.C {
		got := rows(t, conn, sql)
		if slices.Equal(got, want) {
			return
		}
		if time.Now().After(deadline) {
			t.Fatalf("%s: %v, want %v", sql, got, want)
		}
	}
}

func rows(t testing.TB, conn *pgx.Conn, sql string, args ...any) []string {
	t.Helper()
	found, err := conn.Query(t.Context(), sql, args...)
	if err != nil {
		t.Fatal(err)
	}
	out, err := pgx.CollectRows(found, pgx.RowTo[string])
	if err != nil {
		t.Fatal(err)
	}
	return out
}
