package trial

import (
	"fmt"
	"strings"
	"sync"
)

// Run is what the cases of one run know of each other. Its zero value is ready to use.
type Run struct {
	mu     sync.Mutex
	broken map[string]string   // Why nothing can rest on a case, by its id.
	hanged map[string][]string // The cases in which an operation has hung.
}

// enough is in how many cases an operation hangs before the rest of those that call it are skipped. All of them would
// hang, each for its time, and a test without -v would be killed before it has said anything.
const enough = 2

// Break says that nothing can rest on a case, because its rule "is broken", say.
func (r *Run) Break(c Case, why string) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.broken == nil {
		r.broken = map[string]string{}
	}
	r.broken[c.ID] = fmt.Sprintf("%s (%s), which %s", c.ID, c.Rule, why)
}

// Broken reports whether nothing can rest on the case of that id.
func (r *Run) Broken(id string) bool {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.broken[id] != ""
}

// rests returns why the case cannot be run, if that is because of what it rests on. Then nothing can rest on the case,
// either.
func (r *Run) rests(c Case) string {
	r.mu.Lock()
	defer r.mu.Unlock()
	for _, id := range c.RestsOn {
		if why := r.broken[id]; why != "" {
			r.broken[c.ID] = why
			return "it rests on " + why
		}
	}
	return ""
}

// hung notes that operations have hung in a case.
func (r *Run) hung(c Case, operations []string) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.hanged == nil {
		r.hanged = map[string][]string{}
	}
	counted := map[string]bool{} // Several calls of one case count once.
	for _, operation := range operations {
		if !counted[operation] {
			r.hanged[operation] = append(r.hanged[operation], c.ID)
		}
		counted[operation] = true
	}
}

// hangs returns in how many cases an operation has hung.
func (r *Run) hangs(operation string) int {
	r.mu.Lock()
	defer r.mu.Unlock()
	return len(r.hanged[operation])
}

// givenUp returns why an operation is not called any more, or nothing.
func (r *Run) givenUp(operation string) string {
	r.mu.Lock()
	defer r.mu.Unlock()
	if cases := r.hanged[operation]; len(cases) >= enough {
		return fmt.Sprintf("it calls %s, which hangs: see %s", operation, strings.Join(cases, ", "))
	}
	return ""
}
