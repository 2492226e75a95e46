package doctor

import (
	"cmp"
	"context"
	"fmt"
	"strings"
	"time"

	"github.com/scsdynamo/scsdynamo/cmd/internal/explain"
	"github.com/scsdynamo/scsdynamo/cmd/internal/terminal"
	"github.com/scsdynamo/scsdynamo/internal/inspect"
)

// stored is what became of sessions that were opened as the application opens them.
type stored struct {
	expired    int // those that nobody opens any more, whatever their state
	states     map[inspect.State]int
	unreadable error // what is the matter with one of those
}

func (s stored) all() int {
	n := s.expired
	for _, count := range s.states {
		n += count
	}
	return n
}

// look opens stored sessions: a sample of about so many, or with 0 all.
func look(ctx context.Context, sessions *inspect.Sessions, enough int) (stored, error) {
	s := stored{states: map[inspect.State]int{}}
	now, pages := time.Now(), sessions.Pages(ctx, false)
	if enough > 0 {
		pages = sessions.Sample(ctx, enough)
	}
	for page, err := range pages {
		if err != nil {
			return s, err
		}
		for _, unreadable := range page.Unreadable {
			s.states[inspect.Unreadable]++
			s.unreadable = unreadable.Err
		}
		for _, record := range page.Records {
			if record.Expired(now) {
				s.expired++
				continue
			}
			s.states[sessions.Open(ctx, record).State]++
		}
		if enough > 0 && s.all() >= enough {
			break
		}
	}
	return s, nil
}

// checkContent is the check of what is stored.
const checkContent = "content"

// What to do about sessions that do not open. None of it loses one.
const (
	sameSecret = "give this command and all processes the same secret: the bytes that its base64 stands for, not that " +
		"text; put one that " +
		"was changed behind the new one, as secret.previous, unless it has leaked: then these sessions are to end, and " +
		"docs/emergencies.md says how"
	sameContext = "give this command and all processes the same secret.context, or none and the same prefix and suffix " +
		"in table.partition_key; nothing " +
		"is to be done where these are the sessions of another application"
)

// content looks at what is stored: at a sample, or with 0 at all. fix is for an error that does not say what to do, and
// names for sessions that cannot be read because they were written under other names. It reports whether all can be
// read.
func (e examination) content(
	ctx context.Context, sessions *inspect.Sessions, enough int, fix func(error) string, names string,
) (readable bool) {
	s, err := look(ctx, sessions, enough)
	if err != nil {
		why := explain.Error(err)
		e.fail(checkContent, cmp.Or(why.Fix, fix(err)), "%s", why.Text)
		return true // as far as is known
	}
	ours := s.states[inspect.Opens] + s.states[inspect.Over]
	live := s.all() - s.expired - s.states[inspect.Unreadable]
	some := func(state inspect.State) string {
		return fmt.Sprintf("%s of %s that have not expired", sessionsOf(s.states[state]), terminal.Number(int64(live)))
	}
	switch {
	case s.states[inspect.Unreadable] > 0:
		e.unreadable(s, names)
	case s.states[inspect.Foreign] > 0 && !e.Sealed:
		e.fail(checkContent, "set secret.current to the secret of the application",
			"%s are sealed, and there is no secret: their users are logged out",
			some(inspect.Foreign))
	case s.states[inspect.Foreign] > 0 && ours == 0:
		e.fail(checkContent, sameSecret, "none of %s opens with the secret that is configured: their users are logged out",
			sessionsOf(live))
	case s.states[inspect.Foreign] > 0:
		e.warn(checkContent, sameSecret, "%s do not open with the secrets that are configured: their users are logged out",
			some(inspect.Foreign))
	case s.states[inspect.OfAnother] > 0 && ours == 0:
		e.fail(checkContent, sameContext, "none of %s opens: the secret is right, and they were sealed %s", sessionsOf(live),
			e.otherContext())
	case s.states[inspect.OfAnother] > 0:
		e.warn(checkContent, sameContext, "%s do not open: the secret is right, and they were sealed %s",
			some(inspect.OfAnother), e.otherContext())
	case s.states[inspect.Damaged] > 0:
		e.warn(checkContent, `"scsdynamo sessions list" shows which; see who may write there, as docs/emergencies.md says`,
			"%s do not open: they were changed, or moved to another place", some(inspect.Damaged))
	case s.states[inspect.Unsealed] > 0:
		e.warn(checkContent,
			"nothing, where the secret is new: they end when all processes have it; else see which process has none",
			"%s were stored without a secret, and do not open with one: processes without a secret accept them, those with "+
				"one do not",
			some(inspect.Unsealed))
	default:
		e.ok(checkContent, "%s", e.healthy(s, enough))
	}
	return s.states[inspect.Unreadable] == 0
}

// unreadable reports what the driver cannot read.
func (e examination) unreadable(s stored, names string) {
	const asMiss = `"scsdynamo sessions list" shows them; where they are damaged, sessions.unreadable_as_miss lets their users log in anew`
	n, fix := s.states[inspect.Unreadable], asMiss
	switch {
	// Whoever logged in anew would have a session that is an orphan when the name is corrected.
	case names != "" && n == s.all():
		fix = names + `; do not set sessions.unreadable_as_miss before they are right`
	case names != "":
		fix = names + ". If they are right: " + asMiss
	}
	e.fail(checkContent, fix, "%s of %s cannot be read, such as one with this problem: %s", sessionsOf(n),
		terminal.Number(int64(s.all())),
		explain.Error(s.unreadable).Text)
}

// otherContext says what the sessions were sealed for.
func (e examination) otherContext() string {
	if e.Context {
		return "for another application than secret.context says"
	}
	return "for another application, with a secret.context or with another prefix or suffix"
}

// healthy says what was found where nothing is wrong.
func (e examination) healthy(s stored, enough int) string {
	text := sessionsOf(s.all())
	if enough > 0 && s.all() >= enough {
		text = "a sample of " + text
	}
	text += ", all that are live open"
	if n := s.states[inspect.Over]; n > 0 {
		text += fmt.Sprintf("; %s, by %s", terminal.Count(int64(n), "session is over before its expiry",
			"sessions are over before their expiry"),
			strings.Join(e.ending(), " or "))
	}
	return text
}

// ending are the settings that end sessions.
func (e examination) ending() []string {
	var keys []string
	if !e.SealedSince.IsZero() {
		keys = append(keys, "secret.sealed_since")
	}
	if e.Outdated {
		keys = append(keys, "secret.previous_until")
	}
	return append(keys, "the deadline of scs")
}

func sessionsOf(n int) string { return terminal.Count(int64(n), "session", "sessions") }
