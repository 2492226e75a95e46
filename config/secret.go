package config

import (
	"errors"
	"io/fs"
	"os"

	"github.com/scsdynamo/scsdynamo/internal/keys"
	"github.com/scsdynamo/scsdynamo/internal/plainfile"
)

// maxSecretFileBytes is far more than a secret needs.
const maxSecretFileBytes = 4096

// readSecretFile reads a file that holds a secret as it would stand in the configuration. Where there is none, its path
// is not repeated.
func readSecretFile(path string) (keys.Secret, Problem) {
	data, problem := readRegular(path, maxSecretFileBytes)
	var s keys.Secret
	if problem.Text == "" {
		problem.Text = changedByOthers(path)
	}
	if problem.Text == "" {
		s, problem.Text = keys.ParseSecret(string(data))
	}
	if problem.Text == "" {
		return s, problem
	}
	if _, err := os.Lstat(path); err == nil {
		problem.Text = path + ": " + problem.Text
	}
	var failed *fs.PathError // has the path, which may be a secret that is in the wrong place
	if errors.As(problem.Err, &failed) {
		problem.Err = failed.Err
	}
	return s, problem
}

// changedByOthers says how other users may change a file, or replace it, and with it the secret that is in it.
func changedByOthers(path string) string {
	others, err := plainfile.OthersOf(path)
	if err != nil {
		return err.Error()
	}
	return others.Change
}

// readRegular reads a file of at most limit bytes. The problem has no source, and does not repeat the path; its text is
// empty where there is none.
func readRegular(path string, limit int64) ([]byte, Problem) {
	data, err := plainfile.Read(path, limit)
	if err != nil {
		return nil, Problem{Text: err.Error(), Err: causeOf(err)}
	}
	return data, Problem{}
}

// causeOf returns what made it impossible to read a file.
func causeOf(err error) error {
	var failed *plainfile.Error
	if !errors.As(err, &failed) {
		return nil
	}
	return failed.Err
}
