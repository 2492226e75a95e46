package trial

import (
	"context"
	"crypto/rand"
	"encoding/base64"
)

// NewToken draws a token like those of scs.
func NewToken() string {
	b := make([]byte, 32)
	_, _ = rand.Read(b) // It never fails.
	return base64.RawURLEncoding.EncodeToString(b)
}

// State names a context that has ended, as the first argument of a call.
func State(ctx context.Context) string {
	if err := ctx.Err(); err != nil {
		return err.Error() + ", "
	}
	return ""
}

// Cancelled returns a context that has ended.
func Cancelled(ctx context.Context) context.Context {
	ctx, cancel := context.WithCancel(ctx)
	cancel()
	return ctx
}
