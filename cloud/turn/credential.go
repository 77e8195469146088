package turn

import (
	"crypto/hmac"
	"crypto/sha1" //nolint:gosec // what the TURN REST scheme is defined with
	"encoding/base64"
	"strconv"
	"strings"
	"time"

	edgev1 "trunkline/proto/gen/trunkline/edge/v1"
)

// Life is how long credentials work. A relay that exists is refreshed only
// while they do, so it is longer than a call is.
const Life = 4 * time.Hour

// Credential is what a browser puts into its list of ICE servers.
type Credential struct {
	URLs               []string
	Username, Password string
	Expires            time.Time
}

// Credential makes one for a user. The name appears in logs: an id, never a
// person's name. With the role off it has no URLs and is otherwise empty.
func (s *Server) Credential(user string) Credential {
	urls := s.URLs()
	if len(urls) == 0 {
		return Credential{}
	}
	expires := s.now().Add(Life).Truncate(time.Second)
	name := strconv.FormatInt(expires.Unix(), 10) + ":" + strings.ReplaceAll(user, ":", "_")
	return Credential{URLs: urls, Username: name, Password: password(s.cfg.Secret, name), Expires: expires}
}

func password(secret []byte, username string) string {
	mac := hmac.New(sha1.New, secret)
	mac.Write([]byte(username))
	return base64.StdEncoding.EncodeToString(mac.Sum(nil))
}

// valid says whether the user name is one of ours and has not ended. Whether
// its password is right shows when TURN checks the message's integrity.
func valid(username string, now time.Time) bool {
	end, user, ok := strings.Cut(username, ":")
	if !ok || user == "" {
		return false
	}
	t, err := strconv.ParseInt(end, 10, 64)
	return err == nil && now.Unix() < t && t <= now.Add(Life+time.Minute).Unix()
}

// TurnCredentials is Credential as a node is answered.
func (s *Server) TurnCredentials(user string) *edgev1.TurnCredentialsResponse {
	c := s.Credential(user)
	if len(c.URLs) == 0 {
		return &edgev1.TurnCredentialsResponse{}
	}
	return &edgev1.TurnCredentialsResponse{Urls: c.URLs, Username: c.Username, Credential: c.Password, ExpiresAt: c.Expires.UnixMicro()}
}
