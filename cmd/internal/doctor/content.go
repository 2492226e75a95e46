package doctor

import (
	"cmp"
	"context"
	"time"

	"github.com/scsdynamo/scsdynamo/cmd/internal/explain"
	"github.com/scsdynamo/scsdynamo/cmd/internal/terminal"
	"github.com/scsdynamo/scsdynamo/internal/inspect"
	"github.com/scsdynamo/scsdynamo/internal/sealed"
)

// stored is what became of sessions that were opened as the application opens them.
type stored struct {
	opened     int // those that open
	expired    int // those that nobody opens any more
	unreadable int // those that the driver cannot read
	foreign    int // those that are sealed with another secret, or with one where there is none
	unsealed   int // those that are not sealed, where there is a secret
}

func (s stored) all() int { return s.opened + s.expired + s.unreadable + s.foreign + s.unsealed }

// look opens stored sessions: a sample of about so many, or with 0 all.
func look(ctx context.Context, sessions *inspect.Sessions, enough int) (stored, error) {
	var s stored
	now, pages := time.Now(), sessions.Pages(ctx, false)
	if enough > 0 {
		pages = sessions.Sample(ctx, enough)
	}
	for page, err := range pages {
		if err != nil {
			return s, err
		}
		s.unreadable += len(page.Unreadable)
		for _, record := range page.Records {
			found := sessions.Open(ctx, record)
			switch {
			case record.Expired(now):
				s.expired++
			case found.Err == nil:
				s.opened++
			case sealed.Likely(record.Data):
				s.foreign++
			default:
				s.unsealed++
			}
		}
		if enough > 0 && s.all() >= enough {
			break
		}
	}
	return s, nil
}

// checkContent is the check of what is stored.
const checkContent = "content"

// content looks at what is stored: at a sample, or with 0 at all. fix is for an error that does not say what to do.
func (e examination) content(ctx context.Context, sessions *inspect.Sessions, enough int, fix func(error) string) {
	s, err := look(ctx, sessions, enough)
	if err != nil {
		why := explain.Error(err)
		e.fail(checkContent, cmp.Or(why.Fix, fix(err)), "%s", why.Text)
		return
	}
	const sameSecret = "give this command and all processes the same secret: the bytes that its base64 stands for, not that text; put one that " +
		"was changed behind the new one, as secret.previous"
	live := s.opened + s.foreign + s.unsealed
	switch {
	case s.unreadable > 0:
		e.fail(checkContent, `see "scsdynamo sessions list"; set sessions.unreadable_as_miss, so that their users can log in anew`,
			"%s of %s cannot be read", sessionsOf(s.unreadable), terminal.Number(int64(s.all())))
	case s.foreign > 0 && !e.Sealed:
		e.fail(checkContent, "set secret.current to the secret of the application", "%s of %s that are live are sealed, and there is no secret: "+
			"their users are logged out", sessionsOf(s.foreign), terminal.Number(int64(live)))
	case s.foreign > 0 && s.opened == 0:
		e.fail(checkContent, sameSecret, "none of %s that are live opens with the secret that is configured: their users are logged out",
			sessionsOf(live))
	case s.foreign > 0:
		e.warn(checkContent, sameSecret, "%s of %s that are live do not open with the secrets that are configured: their users are logged out",
			sessionsOf(s.foreign), terminal.Number(int64(live)))
	case s.unsealed > 0:
		e.warn(checkContent, "nothing, where the secret is new: they end when all processes have it; else see which process has none",
			"%s of %s that are live were stored without a secret, and do not open with one: processes without a secret accept them, those "+
				"with one do not", sessionsOf(s.unsealed), terminal.Number(int64(live)))
	case enough > 0 && s.all() >= enough:
		e.ok(checkContent, "a sample of %s, all that are live open", sessionsOf(s.all()))
	default:
		e.ok(checkContent, "%s, all that are live open", sessionsOf(s.all()))
	}
}

func sessionsOf(n int) string { return terminal.Count(int64(n), "session", "sessions") }
