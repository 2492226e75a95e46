package trial

import (
	"fmt"
	"runtime"
	"strings"
	"time"
)

// Step is one call as messages show it.
type Step struct {
	call, result string
	began        time.Time
}

func (s *Step) String() string {
	if s.result == "" {
		return s.call + " has not returned"
	}
	return s.call + " = " + s.result
}

// operation is what was called, with a context or without: "Find" of "peer.FindCtx(A)".
func (s *Step) operation() string {
	name, _, _ := strings.Cut(s.call, "(")
	return strings.TrimSuffix(name[strings.LastIndexAny(name, " .")+1:], "Ctx")
}

// Begin notes a call that is about to be made, written as in Go. It ends the case where that is given up, or where the
// operation is known to hang.
func (t *Trial) Begin(format string, args ...any) *Step {
	t.EndIfClosed()
	s := &Step{call: fmt.Sprintf(format, args...), began: time.Now()}
	if reason := t.run.givenUp(s.operation()); reason != "" {
		t.Skip(reason)
	}
	t.mu.Lock()
	defer t.mu.Unlock()
	const window = 12
	if len(t.steps) == window {
		t.steps = append(t.steps[:0], t.steps[1:]...)
		t.dropped++
	}
	t.steps = append(t.steps, s)
	t.open = append(t.open, s)
	return s
}

// End notes what the call returned.
func (t *Trial) End(s *Step, format string, args ...any) {
	t.mu.Lock()
	defer t.mu.Unlock()
	s.result = fmt.Sprintf(format, args...)
	t.ended(s)
}

// Forget takes a call out of the messages that has returned.
func (t *Trial) Forget(s *Step) {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.steps = without(t.steps, s)
	t.ended(s)
}

// ended takes a call off the open ones. The caller holds t.mu.
func (t *Trial) ended(s *Step) { t.open = without(t.open, s) }

func without(steps []*Step, s *Step) []*Step {
	for i := range steps {
		if steps[i] == s {
			return append(steps[:i], steps[i+1:]...)
		}
	}
	return steps
}

// Note puts something other than a call among the steps.
func (t *Trial) Note(call, result string) {
	t.End(t.Begin("%s", call), "%s", result)
}

// Alias makes messages call the token so.
func (t *Trial) Alias(token, name string) string {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.names[token] = name
	return token
}

// NameOf returns how messages call the token, with the next free letter for one not seen before.
func (t *Trial) NameOf(token string) string {
	if token == "" {
		return `""`
	}
	t.mu.Lock()
	defer t.mu.Unlock()
	name, found := t.names[token]
	if !found {
		n := len(t.names)
		name = string(rune('A' + n%26))
		if n >= 26 {
			name += fmt.Sprint(n / 26)
		}
		t.names[token] = name
	}
	return name
}

// redact removes the tokens from a text that may quote a store, such as its errors. The caller holds t.mu.
func (t *Trial) redact(text string) string {
	const telling = 16 // Shorter ones are no secrets, and would match anywhere.
	for token, name := range t.names {
		if len(token) >= telling {
			text = strings.ReplaceAll(text, token, "<token "+name+">")
		}
	}
	return text
}

// message tells what was broken, what was done and what was seen. The caller holds t.mu.
func (t *Trial) message(seen string) string {
	var b strings.Builder
	fmt.Fprintf(&b, "\n  %s\n", t.quote())
	lead := "  did: "
	if t.dropped > 0 {
		fmt.Fprintf(&b, "%s(%d steps before)\n", lead, t.dropped)
		lead = "       "
	}
	for _, s := range t.steps {
		fmt.Fprintf(&b, "%s%s\n", lead, s)
		lead = "       "
	}
	fmt.Fprintf(&b, "  saw: %s", seen)
	return t.redact(b.String())
}

// quote is the rule as messages begin with it.
func (c Case) quote() string { return fmt.Sprintf("rule %s (%s): %s", c.ID, c.Group, c.Rule) }

// Suspect tells which functions are those that are tried, by the beginning of their symbols. Only their goroutines are
// printed where the case hangs.
func (t *Trial) Suspect(symbols string) {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.suspect = symbols
}

// stacks returns the stacks of the goroutines that are in what is tried, or of all where none is, as far as anybody
// reads.
func (t *Trial) stacks() string {
	const most = 16 << 10
	buf := make([]byte, 4<<20)
	all := strings.Split(string(buf[:runtime.Stack(buf, true)]), "\n\n")
	t.mu.Lock()
	suspect := t.suspect
	t.mu.Unlock()
	var shown []string
	for _, stack := range all {
		if suspect != "" && strings.Contains(stack, suspect) {
			shown = append(shown, stack)
		}
	}
	if len(shown) == 0 {
		shown = all
	}
	text := strings.Join(shown, "\n\n")
	if len(text) > most {
		text = fmt.Sprintf("%s\n(%d bytes more)", text[:most], len(text)-most)
	}
	if others := len(all) - len(shown); others > 0 {
		text += fmt.Sprintf("\n\n(%d goroutines elsewhere)", others)
	}
	return text
}
