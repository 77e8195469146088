package rpcx_test

import (
	"strings"
	"testing"

	"google.golang.org/protobuf/proto"

	"trunkline/internal/fault"
	"trunkline/internal/rpcx"
	accessv1 "trunkline/proto/gen/trunkline/access/v1"
	cloudv1 "trunkline/proto/gen/trunkline/cloud/v1"
)

const id = "01a20436-af1a-79f9-b6e4-9be127b9a88e"

func TestValidate(t *testing.T) {
	signUp := func(change func(*accessv1.SignUpRequest)) *accessv1.SignUpRequest {
		m := &accessv1.SignUpRequest{Email: "a@b.example", Password: "0123456789", Company: "C", Language: "en"}
		change(m)
		return m
	}
	for _, c := range []struct {
		name       string
		m          proto.Message
		key, field string
	}{
		{"good", signUp(func(*accessv1.SignUpRequest) {}), "", ""},
		{"missing", signUp(func(m *accessv1.SignUpRequest) { m.Company = "" }), "fault.field.required", "company"},
		{"no address", signUp(func(m *accessv1.SignUpRequest) { m.Email = "a" }), "fault.field.email", "email"},
		{"two addresses", signUp(func(m *accessv1.SignUpRequest) { m.Email = "a@b.example, c@d.example" }), "fault.field.email", "email"},
		{"named address", signUp(func(m *accessv1.SignUpRequest) { m.Email = "A <a@b.example>" }), "fault.field.email", "email"},
		{"header in address", signUp(func(m *accessv1.SignUpRequest) { m.Email = "a@b.example\r\nBcc: x@y.example" }), "fault.field.email", "email"},
		{"short", signUp(func(m *accessv1.SignUpRequest) { m.Password = "密码密码密码密码密" }), "fault.field.too_short", "password"},
		{"long enough in Chinese", signUp(func(m *accessv1.SignUpRequest) { m.Password = "密码密码密码密码密码" }), "", ""},
		{"not one of", signUp(func(m *accessv1.SignUpRequest) { m.Language = "xx" }), "fault.field.one_of", "language"},
		{"NUL", signUp(func(m *accessv1.SignUpRequest) { m.Company = "a\x00b" }), "fault.field.invalid", "company"},
		{"default length", &accessv1.ListMembersRequest{PageToken: strings.Repeat("x", 257)}, "fault.field.too_long", "page_token"},
		{"too large", &accessv1.ListMembersRequest{PageSize: 201}, "fault.field.too_large", "page_size"},
		{"too small", &cloudv1.GetTenantRequest{Id: -1}, "fault.field.too_small", "id"},
		{"no id", &accessv1.UpdateMemberRequest{Id: "x"}, "fault.field.uuid", "id"},
		{"id in capitals", &accessv1.UpdateMemberRequest{Id: strings.ToUpper(id)}, "fault.field.uuid", "id"},
		{"too many", &accessv1.UpdateMemberRequest{Id: id, Roles: []string{"a", "b", "c", "d", "e"}}, "fault.field.too_many", "roles"},
		{"within a list", &accessv1.UpdateMemberRequest{Id: id, Roles: []string{"a", strings.Repeat("x", 300)}}, "fault.field.too_long", "roles[1]"},
		{"within a message", &cloudv1.SaveQueueRequest{Queue: &cloudv1.Queue{}}, "fault.field.required", "queue.name"},
		{"message missing", &cloudv1.SaveQueueRequest{}, "fault.field.required", "queue"},
	} {
		t.Run(c.name, func(t *testing.T) {
			err := rpcx.Validate(c.m)
			if c.key == "" {
				if err != nil {
					t.Fatal(err)
				}
				return
			}
			if f := fault.Of(err); err == nil || f.Kind != fault.Invalid || f.Key != c.key || f.Field != c.field {
				t.Fatalf("got %v, want %s at %s", err, c.key, c.field)
			}
		})
	}
}
