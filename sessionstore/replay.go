package sessionstore

import (
	"io"
	"net/http"
	"sync"
)

// replay is the body of a request, which each try reads from its beginning. Nothing is read before a handler does: it
// may refuse a request for its header alone, and Expect: 100-continue works.
type replay struct {
	source io.ReadCloser
	limit  int64

	mu      sync.Mutex // never held during a read
	kept    []byte     // all that was read, until it was too much
	lost    bool       // it was too much: only the try that has read it can go on
	err     error      // what has ended the source
	reading int        // reads on their way
	closed  bool       // by a handler
	reader  *replayReader
}

// newReplay returns the body of r, of which up to limit bytes are kept.
func newReplay(r *http.Request, limit int64) *replay {
	if r.ContentLength > limit {
		limit = 0 // it cannot be kept to its end
	}
	return &replay{source: r.Body, limit: limit}
}

// request returns r for the next try, which shares nothing with it that a handler changes.
func (b *replay) request(r *http.Request) *http.Request {
	next := r.Clone(r.Context())
	next.Trailer = r.Trailer // net/http fills it when the body ends
	if b.source != nil && b.source != http.NoBody {
		b.reader = &replayReader{body: b}
		next.Body = b.reader
	}
	return next
}

// rewind ends the reader of this try, and reports whether another one can have the body from its beginning.
func (b *replay) rewind() bool {
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.lost || b.reading > 0 {
		return false
	}
	if b.reader != nil {
		b.reader.over = true
	}
	return true
}

// end passes on that a handler has closed the body.
func (b *replay) end() {
	b.mu.Lock()
	closed := b.closed
	b.mu.Unlock()
	if closed {
		_ = b.source.Close()
	}
}

// keep notes what was read from the source.
func (b *replay) keep(p []byte, err error) {
	b.err = err
	if b.lost = b.lost || b.reading > 1 || int64(len(b.kept)+len(p)) > b.limit; b.lost {
		b.kept = nil
		return
	}
	b.kept = append(b.kept, p...)
}

// replayReader is the body for one try.
type replayReader struct {
	body *replay
	at   int  // what this try has read, as far as it is kept
	over bool // closed, or the try is
}

// Read implements io.Reader.
func (r *replayReader) Read(p []byte) (int, error) {
	b := r.body
	b.mu.Lock()
	switch {
	case r.over:
		b.mu.Unlock()
		return 0, http.ErrBodyReadAfterClose
	case r.at < len(b.kept):
		n := copy(p, b.kept[r.at:])
		r.at += n
		b.mu.Unlock()
		return n, nil
	case b.err != nil:
		defer b.mu.Unlock()
		return 0, b.err
	}
	b.reading++
	b.mu.Unlock()
	n, err := b.source.Read(p)
	b.mu.Lock()
	defer b.mu.Unlock()
	b.keep(p[:n], err)
	b.reading--
	r.at = len(b.kept)
	return n, err
}

// Close implements io.Closer. The source stays open for another try.
func (r *replayReader) Close() error {
	r.body.mu.Lock()
	defer r.body.mu.Unlock()
	r.over, r.body.closed = true, true
	return nil
}
