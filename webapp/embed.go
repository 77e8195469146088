// Package webapp embeds the built web app, which both programs serve. dist is
// empty until `make web` has filled it.
package webapp

import (
	"embed"
	"io/fs"
)

//go:embed all:dist
var files embed.FS

// Dist is the built web app: index.html, assets/ and their .br and .gz
// siblings.
func Dist() fs.FS {
	sub, err := fs.Sub(files, "dist")
	if err != nil {
		panic(err) // the name is a constant
	}
	return sub
}
