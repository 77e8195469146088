// Package rpcx is the one chain of interceptors in front of every RPC, on cloud
// and edge: it recovers panics, measures, limits the size of requests,
// authenticates, checks the permission written on the method, validates the
// rules written on the fields, and maps errors to faults.
//
// Handlers behind it may rely on it: the caller is known (CallerFrom), holds the
// method's permission, and every field keeps its rule. What they return as
// *fault.Error reaches the person, anything else becomes an internal fault with
// a reference that also stands in the log.
//
// The HTTP handler that carries the RPCs must be wrapped by Transport, which
// hands the connection's TLS state and remote address to the chain, and puts our
// fault in the place of Connect's error when a request cannot be read.
package rpcx
