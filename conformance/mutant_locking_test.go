package conformance_test

import (
	"time"

	"github.com/scsdynamo/scsdynamo/conformance"
)

// lockingIDs are the cases that WithLocking unlocks.
var lockingIDs = []string{"P09", "P10", "P11", "P12", "P15"}

func lockingMutations() []mutation {
	broken := func(name string, rules lockRules, killers ...string) mutation {
		return mutation{name: name, killers: killers, mutate: unchanged, opts: []conformance.Option{
			conformance.WithRequestScope(rules.scope), conformance.WithLocking(lockDelay, rules.abandon),
		}}
	}
	return []mutation{
		broken("requests of one session do not wait for each other", lockRules{free: true}, "P09", "P15"),
		broken("a late commit brings a deleted session back", lockRules{revives: true}, "P10"),
		broken("the lock of a dead holder lasts too long", lockRules{lasts: lockDelay + 100*time.Millisecond}, "P11"),
		{
			name: "the lock of a dead holder lasts for ever", killers: []string{"P11"}, mutate: unchanged,
			opts: []conformance.Option{
				conformance.WithLocking(lockDelay, lockRules{lasts: time.Hour}.abandon), conformance.WithTimeout(3 * time.Second),
			},
		},
		broken("a holder that lost its lock commits", lockRules{unfenced: true}, "P11"),
		broken("a request that changes nothing keeps its lock", lockRules{keepsUnread: true}, "P12"),
		broken("a request that panics keeps its lock", lockRules{keepsPanic: true}, "P12"),
		broken("waiting does not end with the context", lockRules{stubborn: true}, "P15"),
	}
}
