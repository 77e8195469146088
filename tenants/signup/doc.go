// Package signup is how people come in and get back in: sign-up with its
// confirmation, invitations, password resets and changes of the e-mail address.
//
//	sign-up -> mail (link and six digits) -> confirmed: account, tenant, owner
//	invitation -> mail (link, 7 days) -> accepted: account if new, membership
//
// Nothing here tells whether an address is known: the answer is the same, and
// what differs goes by mail to the one who reads that address.
package signup
