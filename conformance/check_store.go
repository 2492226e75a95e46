package conformance

import (
	"context"

	"github.com/alexedwards/scs/v2"

	"github.com/scsdynamo/scsdynamo/conformance/smoke"
)

// Check tries the operations of a store in some fourteen calls, without a test and safely where real sessions are: see
// [smoke.Check], which programs import, as it brings no test code with it. The error is a [*smoke.Error], or nil.
func Check(ctx context.Context, store scs.Store) error { return smoke.Check(ctx, store) }
