// Package access signs people in and keeps them signed in.
//
// A sign-in (password and, if set up, TOTP or a recovery code; or a passkey)
// begins a session: a rotating refresh cookie that lives for weeks, and access
// tokens of ten minutes made from it, each for one membership.
//
//	password -> [second factor] -> session --refresh--> token, token, ...
//	passkey  ---------------------^     \-- acting as a tenant, for platform staff
//
// A session ends by sign-out, by a changed password, when a cookie older than
// the last two is seen (somebody copied it), or by itself. What ends it is told
// to all replicas, so that tokens already given stop working within seconds.
package access
