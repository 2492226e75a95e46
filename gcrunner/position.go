package gcrunner

import (
	"encoding/json"
	"fmt"
	"slices"

	"github.com/scsdynamo/scsdynamo/storage"
)

// Position is how far a run has come: everything before it is done, including deletes. The zero value is the beginning.
//
// As text ([Position.MarshalText]) it can be kept anywhere and used by any later run on the same table. The text holds
// keys, and keys are session tokens unless the store has a secret: keep it as safe as the sessions. [Position.String]
// holds none.
type Position struct {
	index    bool // in an index, of which the segments are the shards
	segments []segment
}

// segment is how far a run has come in one segment.
type segment struct {
	Next storage.Position `json:"next,omitempty"`
	Done bool             `json:"done,omitempty"`
}

const (
	// positionFormat is the version of the text.
	positionFormat = 1
	// positionBegins is how the text of each version begins.
	positionBegins = `{"format":`
)

type positionText struct {
	Format   int       `json:"format"`
	Index    bool      `json:"index,omitempty"`
	Segments []segment `json:"segments"`
}

func parsePosition(text []byte) (Position, error) {
	var p Position
	err := p.UnmarshalText(text)
	return p, err
}

// IsZero reports whether p is the beginning.
func (p Position) IsZero() bool { return len(p.segments) == 0 }

// fits reports whether p is a position of the source.
func (p Position) fits(s source) bool {
	return p.IsZero() || p.index == (s.kind() == SourceIndex) && (s.segments() == 0 || len(p.segments) == s.segments())
}

// done reports whether nothing is left behind the position.
func (p Position) done() bool {
	return !p.IsZero() && !slices.ContainsFunc(p.segments, func(s segment) bool { return !s.Done })
}

// String describes the position without keys.
func (p Position) String() string {
	if p.IsZero() {
		return "the beginning"
	}
	done := 0
	for _, s := range p.segments {
		if s.Done {
			done++
		}
	}
	what := "segments"
	if p.index {
		what = "shards of the index"
	}
	return fmt.Sprintf("within %d %s, of which %d are done", len(p.segments), what, done)
}

// GoString keeps keys out of what %#v prints.
func (p Position) GoString() string { return "gcrunner.Position{" + p.String() + "}" }

// MarshalText implements encoding.TextMarshaler. The zero Position is the empty text.
func (p Position) MarshalText() ([]byte, error) {
	if p.IsZero() {
		return nil, nil
	}
	return json.Marshal(positionText{Format: positionFormat, Index: p.index, Segments: p.segments})
}

// UnmarshalText implements encoding.TextUnmarshaler.
func (p *Position) UnmarshalText(text []byte) error {
	*p = Position{}
	if len(text) == 0 {
		return nil
	}
	var t positionText
	if json.Unmarshal(text, &t) != nil || t.Format != positionFormat ||
		len(t.Segments) == 0 || len(t.Segments) > storage.MaxSegments {
		return errPosition // without its cause, which may quote the text
	}
	p.index, p.segments = t.Index, t.Segments
	return nil
}

func (p Position) clone() Position {
	p.segments = slices.Clone(p.segments)
	return p
}
