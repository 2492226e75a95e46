package sessionstore

import (
	"context"
	"errors"
	"fmt"

	"github.com/scsdynamo/scsdynamo/internal/sealed"
	"github.com/scsdynamo/scsdynamo/storage"
)

// SecretError says that of the live sessions in a sample, none opens with the secrets of the store: their users are
// logged out.
type SecretError struct {
	// Live is how many live sessions are in the sample.
	Live int
	// Unsealed is how many of them were stored without a secret. It is all of them where a first secret was given.
	Unsealed int
}

// Error implements error.
func (e *SecretError) Error() string {
	text := fmt.Sprintf("sessionstore: none of %d live sessions opens with the secrets that are given", e.Live)
	if e.Unsealed > 0 {
		text += fmt.Sprintf("; %d were stored without a secret", e.Unsealed)
	}
	return text +
		"; give the bytes and the context that all processes give, and a secret that was changed behind the new one, " +
		"unless it has leaked"
}

// What CheckSecrets reads at most.
const (
	secretSample = 100
	secretPages  = 3
)

// CheckSecrets opens a sample of what is stored. It is for a program that starts: with a wrong secret, with one that
// was changed and whose predecessor was not given, or without one where sessions are sealed, every user is logged out,
// and nothing else says so. The error is a [*SecretError] where there are live sessions and none of them opens, and nil
// where one does, or there is none. Other errors: those of the driver.
//
// It reads up to 300 items, once, with eventual consistency; on DynamoDB that needs the right to Scan.
func (s *Store) CheckSecrets(ctx context.Context) error {
	request := storage.ScanRequest{Limit: secretSample, Consistency: storage.Eventual}
	found := &SecretError{}
	for range secretPages {
		page, err := s.page(ctx, request)
		if err != nil {
			return err
		}
		for _, record := range page.Records {
			if !record.Live(s.backend.Now()) {
				continue
			}
			if _, _, err := s.vault.openAny(record, s.codec); err == nil || errors.Is(err, errOver) {
				return nil
			}
			found.Live++
			if !sealed.Likely(record.Data) {
				found.Unsealed++
			}
		}
		if request.Start = page.Next; request.Start == "" {
			break
		}
	}
	if found.Live == 0 {
		return nil
	}
	return found
}
