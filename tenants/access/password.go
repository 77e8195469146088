package access

import (
	"context"
	"runtime"
	"strings"
	"sync"

	"github.com/alexedwards/argon2id"

	"trunkline/internal/fault"
)

// cost is OWASP's second recommendation for argon2id: 19 MiB, two passes.
var cost = &argon2id.Params{Memory: 19 << 10, Iterations: 2, Parallelism: 1, SaltLength: 16, KeyLength: 32}

// hashing bounds how many hashes are made at once, so that a flood of sign-ins
// cannot take all memory.
var hashing = make(chan struct{}, max(2, runtime.NumCPU()))

func slot(ctx context.Context) (release func(), err error) {
	select {
	case hashing <- struct{}{}:
		return func() { <-hashing }, nil
	case <-ctx.Done():
		return nil, ctx.Err()
	}
}

// HashPassword makes the argon2id hash that is stored.
func HashPassword(ctx context.Context, password string) (string, error) {
	release, err := slot(ctx)
	if err != nil {
		return "", err
	}
	defer release()
	return argon2id.CreateHash(password, cost)
}

// nobody is a hash no password fits, compared when there is no account, so that
// the time of an answer does not tell.
var nobody = sync.OnceValue(func() string {
	h, err := argon2id.CreateHash("no account has this password", cost)
	if err != nil {
		panic(err) // only if the system has no randomness
	}
	return h
})

// CheckPassword says whether the password fits the hash; "" stands for no
// account and never fits.
func CheckPassword(ctx context.Context, password, hash string) (bool, error) {
	release, err := slot(ctx)
	if err != nil {
		return false, err
	}
	defer release()
	if hash == "" {
		_, err := argon2id.ComparePasswordAndHash(password, nobody())
		return false, err
	}
	return argon2id.ComparePasswordAndHash(password, hash)
}

// GoodPassword refuses what is guessed first: the address itself or one sign
// repeated. Length is the rule that matters, and is written in the proto.
func GoodPassword(password, email string) error {
	name, _, _ := strings.Cut(email, "@")
	lower := strings.ToLower(password)
	if lower == strings.ToLower(email) || (len(name) >= 6 && lower == strings.Repeat(name, 2)) ||
		strings.Trim(password, password[:min(1, len(password))]) == "" || commonPasswords[lower] {
		return fault.New(fault.Invalid, "fault.password.weak").WithField("password")
	}
	return nil
}

// commonPasswords are those of at least ten signs found most in leaks.
var commonPasswords = map[string]bool{
	"1234567890": true, "0123456789": true, "0987654321": true, "qwertyuiop": true, "1q2w3e4r5t": true, "password12": true,
	"password123": true, "password1234": true, "passw0rd123": true, "letmein123": true, "welcome123": true, "qwerty12345": true,
	"qwerty123456": true, "1qaz2wsx3edc": true, "administrator": true, "iloveyou123": true, "abc1234567": true, "12345678910": true,
	"123456789a": true, "a123456789": true, "changeme123": true, "trunkline1": true, "trunkline123": true, "woaini1314": true,
	"1234567891": true, "9876543210": true, "asdfghjkl1": true, "zxcvbnm123": true, "qwertyuiop123": true, "administrator1": true,
}
