// Package enroll is a node's identity: how it joins a site, what it keeps of
// that on disk, and how its certificate is renewed.
//
// A directory belongs to one node. It holds
//
//	identity.pem  the private key, the certificate chain and the CA, in one file
//	              so that a renewal replaces all of it or nothing
//	node.json     names, addresses and where the cloud is; written last, so a
//	              directory without it has not joined
//	site.pb       the site's configuration as last seen, for a start without the cloud
//	joining.key   the key of a join that was begun; if the cloud's answer is lost,
//	              the same token works again with the same key
//
// Files are 0600 and the directory 0700: who reads them is this node.
//
// The internal CA signs site and node names only. A peer is trusted for what its
// URI trunkline://site/<site>/node/<name> says and for nothing else.
package enroll
