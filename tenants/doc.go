// Package tenants holds who uses the platform: tenants, accounts, memberships
// and the keys that sign their tokens. An account (an e-mail address and what
// proves it) is global; a membership ties it to one tenant with roles.
//
// A tenant's life:
//
//	sign-up confirmed -> active -> suspending -> suspended -> active
//	                        \------------\------------\--> deleting -> gone
//
// suspending and deleting are dates ahead: nobody has to do anything when they
// pass. Signing in is the concern of tenants/access, becoming a member that of
// tenants/signup.
package tenants
