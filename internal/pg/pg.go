// Package pg runs a private PostgreSQL for programs that were given no database
// URL, and listens to NOTIFY for those that have one of either kind.
//
// The private server listens on a unix socket in a directory only we may enter,
// never on TCP, and lives as long as this process: the kernel ends it when we
// die. PostgreSQL refuses to run as root, so for root it runs in a user namespace
// whose one id is ours outside; files keep their owner and nothing is chowned.
package pg
