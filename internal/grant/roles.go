package grant

import (
	"slices"

	accessv1 "trunkline/proto/gen/trunkline/access/v1"
)

// The roles of a membership; each may what the one after it may, and more.
const (
	Owner      = "owner"
	Admin      = "admin"
	Supervisor = "supervisor"
	Agent      = "agent"
)

// Roles lists them, mightiest first.
var Roles = []string{Owner, Admin, Supervisor, Agent}

// adds is what each role may besides what the roles below it may.
var adds = map[string][]accessv1.Permission{
	Agent: {accessv1.Permission_PERMISSION_MEMBER, accessv1.Permission_PERMISSION_CALLS_HANDLE},
	Supervisor: {
		accessv1.Permission_PERMISSION_CALLS_READ, accessv1.Permission_PERMISSION_RECORDINGS_PLAY,
		accessv1.Permission_PERMISSION_REPORTS_READ, accessv1.Permission_PERMISSION_LIVE_READ,
		accessv1.Permission_PERMISSION_FLOOR_COMMAND,
	},
	Admin: {
		accessv1.Permission_PERMISSION_MEMBERS_MANAGE, accessv1.Permission_PERMISSION_SITES_MANAGE,
		accessv1.Permission_PERMISSION_ROUTING_MANAGE, accessv1.Permission_PERMISSION_DIALLING_MANAGE,
	},
	Owner: {accessv1.Permission_PERMISSION_TENANT_MANAGE},
}

// Highest gives the mightiest of the roles, "" if none is known.
func Highest(roles []string) string {
	for _, r := range Roles {
		if slices.Contains(roles, r) {
			return r
		}
	}
	return ""
}

// Permissions lists what the bearer of these roles may, in the order of the
// enumeration. PUBLIC and ACCOUNT are always among them, NODE never.
func Permissions(roles []string, platform bool) []accessv1.Permission {
	out := []accessv1.Permission{accessv1.Permission_PERMISSION_PUBLIC, accessv1.Permission_PERMISSION_ACCOUNT}
	if from := slices.Index(Roles, Highest(roles)); from >= 0 {
		for _, r := range Roles[from:] {
			out = append(out, adds[r]...)
		}
	}
	if platform {
		out = append(out, accessv1.Permission_PERMISSION_PLATFORM)
	}
	slices.Sort(out)
	return out
}

// Allowed says whether the claims carry the permission. What a tenant's role
// grants needs a tenant in the claims as well.
func Allowed(c Claims, p accessv1.Permission) bool {
	switch p {
	case accessv1.Permission_PERMISSION_PUBLIC:
		return true
	case accessv1.Permission_PERMISSION_ACCOUNT:
		return c.Account != ""
	case accessv1.Permission_PERMISSION_PLATFORM:
		return c.Account != "" && c.Platform
	case accessv1.Permission_PERMISSION_UNSPECIFIED, accessv1.Permission_PERMISSION_NODE:
		return false
	case accessv1.Permission_PERMISSION_CALLS_HANDLE:
		if c.Membership == "" {
			return false // who acts as a tenant is nobody's agent
		}
	}
	return c.Account != "" && c.Tenant != 0 && slices.Contains(Permissions(c.Roles, false), p)
}
