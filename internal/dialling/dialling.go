// Package dialling reads the numbers people type and says which of them may be
// called. Both the cloud, where a tenant says what is allowed, and its sites,
// where calls are placed, go by it. It is pure.
//
// What may be called is a list of beginnings of numbers, because that is how
// telephone numbers (ITU-T E.164) and their prices are ordered: "+49" is Germany,
// "+4930" Berlin. A number that no beginning fits is not called. What is known to
// be expensive is not opened by the name of a country alone:
//
//   - premium-rate numbers need a beginning that says more than the country;
//   - "+1" is the United States and Canada; the other countries of that numbering
//     plan need their area code ("+1876").
//
// Emergency numbers of the country are never refused.
package dialling

import (
	"errors"
	"regexp"
	"strconv"
	"strings"

	"github.com/nyaruka/phonenumbers"
)

// Number is a telephone number that was understood.
type Number struct {
	// Dialled is +E.164, or an emergency number as it is dialled in its country.
	Dialled   string
	Emergency bool

	premium bool
	code    string // country calling code, without the plus
	region  string // ISO 3166, where the number says it
}

// ErrNotANumber is the answer to what nobody could call.
var ErrNotANumber = errors.New("dialling: not a telephone number")

const maxTyped = 40

var (
	// typedNumber is what people write: digits, and what makes them readable.
	typedNumber = regexp.MustCompile(`^\s*\+?[0-9 ()/.\-\x{00a0}]+$`)
	prefix      = regexp.MustCompile(`^\+[1-9][0-9]{0,14}$`)
	separators  = strings.NewReplacer(" ", "", "(", "", ")", "", "/", "", ".", "", "-", "", "\u00a0", "")
)

// Looks tells whether somebody may be typing a number rather than a name.
func Looks(typed string) bool {
	return len(typed) <= maxTyped && typedNumber.MatchString(typed) && len(digits(typed)) >= 3
}

func digits(typed string) string {
	return strings.TrimPrefix(strings.TrimSpace(separators.Replace(typed)), "+")
}

// Parse reads a number as it was typed: international ("+49 30 ...", "0049 30
// ..."), or national as in the country of home, a number of our own in E.164.
func Parse(typed, home string) (Number, error) {
	if !Looks(typed) {
		return Number{}, ErrNotANumber
	}
	region := regionOf(home)
	short := digits(typed)
	if !strings.HasPrefix(strings.TrimSpace(typed), "+") && emergency(short, region) {
		return Number{Dialled: short, Emergency: true, region: region}, nil
	}
	// "+49 (0) 30": the trunk prefix in brackets is not part of the number.
	n, err := international(separators.Replace(strings.ReplaceAll(typed, "(0)", "")), region)
	if err != nil {
		return Number{}, err
	}
	// Again: what is written with a trunk prefix after the country ("+27 0 ...") loses
	// it only then. The number is what stays the same.
	for range maxReadings {
		again, err := international(n.Dialled, "")
		if err != nil || again == n {
			return again, err
		}
		n = again
	}
	return Number{}, ErrNotANumber
}

const maxReadings = 5

func international(text, region string) (Number, error) {
	n, err := phonenumbers.Parse(text, region)
	if err != nil || !phonenumbers.IsPossibleNumber(n) {
		return Number{}, ErrNotANumber
	}
	out := Number{
		Dialled: phonenumbers.Format(n, phonenumbers.E164), code: strconv.Itoa(int(n.GetCountryCode())),
		region: phonenumbers.GetRegionCodeForNumber(n), premium: phonenumbers.GetNumberType(n) == phonenumbers.PREMIUM_RATE,
	}
	if !prefix.MatchString(out.Dialled) {
		return Number{}, ErrNotANumber
	}
	return out, nil
}

// regionOf is the country of a number in E.164, "" when it does not say.
func regionOf(e164 string) string {
	n, err := phonenumbers.Parse(e164, "")
	if err != nil {
		return ""
	}
	if r := phonenumbers.GetRegionCodeForNumber(n); r != "" {
		return r
	}
	// A number that is not given out yet still is of its country.
	if r := phonenumbers.GetRegionCodeForCountryCode(int(n.GetCountryCode())); r != "ZZ" && r != "001" {
		return r
	}
	return ""
}

// emergency tells whether a number reaches the emergency services of the country;
// 112 and 911 do from mobile phones everywhere (3GPP TS 22.101, section 10.1.1).
func emergency(number, region string) bool {
	return number == "112" || number == "911" || region != "" && phonenumbers.IsEmergencyNumber(number, region)
}

// Policy is what may be called.
type Policy struct {
	Enabled  bool
	Prefixes []string // in the form Prefix gives
}

// Reasons for not calling a number.
const (
	Off     = "off"     // nothing is called but emergency numbers
	Closed  = "prefix"  // no beginning fits
	Premium = "premium" // a premium-rate number whose beginning is not listed itself
)

// Refuse says why the number may not be called; "" when it may.
func (p Policy) Refuse(n Number) string {
	switch {
	case n.Emergency:
		return ""
	case !p.Enabled:
		return Off
	}
	reason := Closed
	for _, beginning := range p.Prefixes {
		if beginning == "" || !strings.HasPrefix(n.Dialled, beginning) {
			continue
		}
		countryOnly := len(beginning)-1 <= len(n.code)
		switch {
		case countryOnly && n.premium:
			reason = Premium
		case countryOnly && n.code == "1" && n.region != "US" && n.region != "CA":
		default:
			return ""
		}
	}
	return reason
}

// Prefix puts the beginning of a number into the form Policy wants.
func Prefix(typed string) (string, error) {
	p := separators.Replace(strings.TrimSpace(typed))
	if international, ok := strings.CutPrefix(p, "00"); ok {
		p = "+" + international
	}
	if !prefix.MatchString(p) {
		return "", ErrNotANumber
	}
	return p, nil
}
