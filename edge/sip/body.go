package sip

import (
	"bytes"
	"fmt"
	"mime"
	"mime/multipart"
	"strings"

	"github.com/emiago/sipgo/sip"
)

func headerValue(m headered, names ...string) string {
	for _, n := range names {
		if h := m.GetHeader(n); h != nil {
			return h.Value()
		}
	}
	return ""
}

type bodied interface {
	Body() []byte
	ContentType() *sip.ContentTypeHeader
}

func contentType(m bodied) string {
	if h := m.ContentType(); h != nil {
		return strings.ToLower(string(mediaType([]byte(h.Value()))))
	}
	return ""
}

// descriptionOf reads a message's SDP; nil without an error = there is none.
func descriptionOf(m bodied) (*description, error) {
	kind := ""
	if h := m.ContentType(); h != nil {
		kind = h.Value()
	}
	return readDescription(m.Body(), kind)
}

// readDescription finds the SDP in a body, also as a part of multipart/mixed.
func readDescription(body []byte, contentType string) (*description, error) {
	if len(body) == 0 {
		return nil, nil
	}
	if isMultipart([]byte(contentType)) {
		part, ok := sdpPart(body, contentType)
		if !ok {
			return nil, fmt.Errorf("%w: no part of it is SDP", ErrBadSDP)
		}
		body = part
	}
	return parseSDP(body)
}

func sdpPart(body []byte, contentType string) ([]byte, bool) {
	_, params, err := mime.ParseMediaType(contentType)
	if err != nil || params["boundary"] == "" {
		return nil, false
	}
	r := multipart.NewReader(bytes.NewReader(body), params["boundary"])
	for range 8 {
		p, err := r.NextRawPart()
		if err != nil {
			return nil, false
		}
		if !isSDP([]byte(p.Header.Get("Content-Type"))) {
			continue
		}
		var b bytes.Buffer
		if _, err := b.ReadFrom(p); err != nil {
			return nil, false
		}
		return b.Bytes(), true
	}
	return nil, false
}

// optionTags finds a tag in the headers that list what a message supports or
// requires.
func optionTags(m headered, tag string, headers ...string) bool {
	for _, name := range headers {
		for _, h := range m.GetHeaders(name) {
			for t := range strings.SplitSeq(h.Value(), ",") {
				if strings.EqualFold(strings.TrimSpace(t), tag) {
					return true
				}
			}
		}
	}
	return false
}

func supports(m headered, tag string) bool { return optionTags(m, tag, "supported", "k", "require") }

func requires(m headered, tag string) bool { return optionTags(m, tag, "require") }

type headered interface {
	GetHeader(name string) sip.Header
	GetHeaders(name string) []sip.Header
}
