// Package fleet is the cloud's side of the nodes: it lets them join, tells them
// what to know (config down) and to do (work down), and takes in what they
// report (facts up, recordings, the live floor).
//
//	join token + CSR -> Authority signs -> node certificate (30 days, renewed from a third on)
//
//	config down   a committed write -> NOTIFY trunkline_config -> Watcher assembles the
//	              tenant's snapshot (sources contribute) -> SiteConfig to each watching node
//	work down     Inbox.Put -> NOTIFY trunkline_inbox -> each watching node, in order of seq,
//	              until one acknowledges or it expires
//	facts up      PushFacts -> one transaction: cursor, event log, every Applier under a
//	              savepoint (a fact that fails goes to quarantine) -> NOTIFY trunkline_facts
//
// A chain of facts exists per (site, tenant, epoch). What continues it is
// stored, what is stored already is ignored if it is the same, and anything else
// is refused:
//
//	seq <= cursor, same hash      ignored (sent twice)
//	seq == cursor+1, hash right   stored
//	seq >  cursor+1               left; the answer names the cursor, the site sends from there
//	hash or link wrong            refused with fault.facts.chain_broken, counted
//
// A node may report the tenants assigned to its site. For one that left, facts
// from before it left are taken; later ones are kept in quarantine.
package fleet
