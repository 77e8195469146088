// Package turn relays media for agents whose network does not let them reach
// their site's nodes (RFC 8656). It is a role of the cloud that is off unless
// an address is configured.
//
// Credentials are made for one user, end by themselves, and need no table: the
// user name carries the end, the password is an HMAC over it, so every replica
// that holds the secret accepts what another one handed out.
package turn
