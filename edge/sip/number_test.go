package sip

import (
	"testing"

	"github.com/emiago/sipgo/sip"
)

func TestNumbers(t *testing.T) {
	for uri, want := range map[string]string{
		"sip:+4930123456@x":                    "+4930123456",
		"sip:004930123456@x;user=phone":        "+4930123456",
		"sip:+49-30-(123)456@x":                "+4930123456",
		"tel:+4930123456;phone-context=x":      "+4930123456",
		"sip:%2B4930123456;npdi=yes@x":         "+4930123456",
		"sip:030123456@x":                      "030123456",
		"sip:*21#@x":                           "*21#",
		"sip:alice@x":                          "alice",
		"sip:+1:secret@x":                      "+1",
		"sip:anonymous@anonymous.invalid":      "",
		"sip:x.example":                        "",
		"sip:a%00b%0D%0Ac@x":                   "abc",
		"sip:%E4%B8%AD%E6%96%87@x":             "中文",
		"sip:00@x":                             "00",
		"sip:" + string(make([]byte, 5)) + "@": "",
	} {
		if got := number(userOf([]byte(uri))); got != want {
			t.Errorf("%q: %q, want %q", uri, got, want)
		}
	}
	long := number(userOf([]byte("sip:" + string(make([]byte, 0)) + "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa@x")))
	if len(long) != 64 {
		t.Errorf("%d bytes", len(long))
	}
}

func TestCaller(t *testing.T) {
	for name, c := range map[string]struct {
		from      string
		extra     map[string]string
		num, show string
	}{
		"from":            {from: `"Ann" <sip:+491@x>;tag=1`, num: "+491", show: "Ann"},
		"asserted":        {from: `"Ann" <sip:1@x>;tag=1`, extra: map[string]string{"P-Asserted-Identity": "<sip:+492@x>"}, num: "+492", show: "Ann"},
		"asserted name":   {from: `<sip:1@x>;tag=1`, extra: map[string]string{"P-Asserted-Identity": `"Bob" <tel:+492>`}, num: "+492", show: "Bob"},
		"privacy":         {from: `"Ann" <sip:+491@x>;tag=1`, extra: map[string]string{"Privacy": "header;id"}},
		"anonymous":       {from: `"Anonymous" <sip:anonymous@anonymous.invalid>;tag=1`},
		"remote party id": {from: `<sip:anonymous@x>;tag=1`, extra: map[string]string{"Remote-Party-ID": `"C" <sip:+493@x>;party=calling`}, num: "+493", show: "C"},
		"nonsense":        {from: `<sip:+491@x>;tag=1`, extra: map[string]string{"P-Asserted-Identity": "<<"}, num: "+491"},
	} {
		req := sip.NewRequest(sip.INVITE, sip.Uri{Scheme: "sip", Host: "x"})
		req.AppendHeader(sip.NewHeader("From", c.from))
		for k, v := range c.extra {
			req.AppendHeader(sip.NewHeader(k, v))
		}
		if num, show := callerOf(req); num != c.num || show != c.show {
			t.Errorf("%s: %q %q", name, num, show)
		}
	}
}
