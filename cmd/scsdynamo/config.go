package main

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"

	"github.com/spf13/cobra"

	"github.com/scsdynamo/scsdynamo/cmd/internal/explain"
	"github.com/scsdynamo/scsdynamo/cmd/internal/scaffold"
	"github.com/scsdynamo/scsdynamo/cmd/internal/terminal"
	"github.com/scsdynamo/scsdynamo/config"
	"github.com/scsdynamo/scsdynamo/internal/keys"
)

func (a *app) configCommand() *cobra.Command {
	return a.commands("config", "Write, show and check the configuration",
		"Write, show and check the configuration. docs/configuration.md says what each key does.",
		a.configInitCommand(), a.configShowCommand(), a.configCheckCommand())
}

// initialize is config init.
type initialize struct {
	*app
	fromRuby, secretFile string
	force, printOnly     bool
}

func (a *app) configInitCommand() *cobra.Command {
	i := &initialize{app: a}
	cmd := &cobra.Command{
		Use:   "init",
		Short: "Write a configuration file with every key and its default",
		Long: `Write a configuration file in which every key is explained and commented out, with its default. It goes to the file of
--config, else to config/scsdynamo/<environment>.yaml with --environment, else to config/scsdynamo.yaml. What --set
sets is set in it. A file that is there is not overwritten without --force, and never where there is a secret in it. The
file of --secret-file is never overwritten.

With --from-ruby, the settings of the gem aws-sessionstore-dynamodb are read, from its YAML file or, with the word
"environment", from AWS_DYNAMO_DB_SESSION_ variables and the file that Rails reads. They are converted, with their
units, and what has no counterpart here is named. Nothing of theirs is changed.`,
		Example: `  scsdynamo config init
  scsdynamo config init --environment production --secret-file config/sessions.secret --set table.name=web-sessions
  scsdynamo config init --from-ruby config/dynamo_db_session_store.yml --environment production
  AWS_DYNAMO_DB_SESSION_TABLE_NAME=web scsdynamo config init --from-ruby environment --print`,
		Args: noArgs,
		RunE: func(*cobra.Command, []string) error { return i.run() },
	}
	cmd.Flags().StringVar(&i.fromRuby, "from-ruby", "",
		"take over the settings of the Ruby gem: its `FILE`, or environment")
	cmd.Flags().StringVar(&i.secretFile, "secret-file", "",
		"draw a secret, write it to this `FILE`, and set secret.current_file")
	cmd.Flags().BoolVar(&i.printOnly, "print", false, "print the file instead of writing it")
	cmd.Flags().BoolVar(&i.force, "force", false,
		"overwrite the configuration file that is there, unless a secret is in it")
	return cmd
}

// initialized is the result of config init.
type initialized struct {
	File       string          `json:"file"`
	SecretFile string          `json:"secret_file,omitempty"`
	Notes      []scaffold.Note `json:"notes,omitempty"`
}

func (i *initialize) run() error {
	if name := i.environmentName(); name != "" && (name != filepath.Base(name) || name[0] == '.') {
		return explain.New(explain.Usage, "this is not the name of an environment",
			"it is part of a file's name, such as production")
	}
	if i.printOnly && i.secretFile != "" {
		return explain.New(explain.Usage, "--print writes no file, and --secret-file does", "choose one of them")
	}
	content, notes, err := i.content()
	if err != nil {
		return err
	}
	if i.printOnly {
		_, err := i.Out.Write(content)
		return outputError(err)
	}
	if err := i.check(); err != nil {
		return err
	}
	result := initialized{File: i.target(), SecretFile: i.secretFile, Notes: notes}
	if i.secretFile != "" {
		if err := writeNew(i.secretFile, []byte(scaffold.NewSecret()+"\n"), false); err != nil {
			return err
		}
	}
	if err := writeNew(result.File, content, i.force); err != nil {
		if i.secretFile != "" {
			err = errors.Join(err, os.Remove(i.secretFile)) // It was made a moment ago.
		}
		return err
	}
	lines := []string{"wrote " + result.File}
	if result.SecretFile != "" {
		lines = append(lines,
			"wrote "+result.SecretFile+": give it to all processes that share the sessions, and to nobody else")
	}
	for _, note := range notes {
		lines = append(lines, "  "+note.String())
	}
	if err := i.print(result, lines...); err != nil {
		return err
	}
	if result.SecretFile == "" {
		i.note("there is no secret: sessions are stored as they are. Draw one with --secret-file, or see secret.current " +
			"in the file")
	}
	return nil
}

// check looks at what is there already, before anything is written. No secret is ever lost: it would log everybody out.
func (i *initialize) check() error {
	for flag, path := range map[string]string{"--config": i.file, "--secret-file": i.secretFile} {
		if _, wrong := keys.ParseSecret(path); wrong == "" {
			return explain.New(explain.Usage, flag+" is the name of a file, and what is given reads like a secret",
				"name a file")
		}
	}
	if i.secretFile != "" {
		switch _, err := os.Lstat(i.secretFile); {
		case err == nil && filepath.Clean(i.secretFile) == filepath.Clean(i.target()):
			return explain.New(explain.Usage, "--secret-file is the configuration file", "name another file for the secret")
		case err == nil:
			return explain.New(explain.Failed,
				i.secretFile+" is already there, and may hold the secret of sessions: it is not overwritten",
				"use it with --set secret.current_file="+terminal.ShellWord(i.secretFile)+" in place of --secret-file, or name "+
					"another file")
		}
	}
	content, err := os.ReadFile(i.target())
	if err == nil && hasSecret(content) {
		return explain.New(explain.Failed, i.target()+" may have a secret in it, which --force would destroy",
			"put the secret into a file of its own first, "+
				"and name it with --set secret.current_file=...; or name another file with --config")
	}
	return nil // What cannot be read is not there, or writing it fails.
}

// setsSecret matches a line that sets a secret, as far as that can be told of any file.
var setsSecret = regexp.MustCompile(`(?m)^[^#\n]*\b(?:current|previous)["']?[ \t]*:`)

// hasSecret reports whether a file sets a secret, or has one anywhere, such as behind a #.
func hasSecret(content []byte) bool {
	return setsSecret.Match(content) || slices.ContainsFunc(strings.Split(string(content), "\n"), keys.HoldsSecret)
}

// content returns the file, and what became of the settings that were taken over.
func (i *initialize) content() ([]byte, []scaffold.Note, error) {
	set, err := i.set()
	if err != nil {
		return nil, nil, err
	}
	if i.secretFile != "" {
		set = append(set, setting{"secret.current_file", i.secretFile})
	}
	migration := &scaffold.Migration{Values: map[string]string{}}
	if i.fromRuby != "" {
		if migration, err = i.migrate(); err != nil {
			return nil, nil, err
		}
	}
	for _, s := range set {
		migration.Values[s.key] = s.value
	}
	var content []byte
	if i.fromRuby != "" {
		content, err = migration.File()
	} else {
		content, err = scaffold.Template(i.environmentName(), migration.Values)
	}
	return content, migration.Notes, err
}

// fromEnvironment is the word for settings that are not in one file.
const fromEnvironment = "environment"

func (i *initialize) migrate() (*scaffold.Migration, error) {
	where := scaffold.Ruby{Environment: i.environmentName(), Environ: os.Environ()}
	if i.fromRuby != fromEnvironment {
		where.File = i.fromRuby
	}
	return scaffold.FromRuby(where)
}

func (i *initialize) target() string {
	if i.file != "" {
		return i.file
	}
	return keys.DefaultFile(i.environmentName())
}

// writeNew writes a file that only this user may read: there may be secrets in it. One that is overwritten is replaced
// as a whole, with its mode; where it was a link, what it led to stays.
func writeNew(path string, content []byte, overwrite bool) error {
	directory := filepath.Dir(path)
	//nolint:gosec // Others may look into the directory of a project.
	if err := os.MkdirAll(directory, 0o755); err != nil {
		return fmt.Errorf("the directory cannot be made: %w", err)
	}
	if overwrite {
		return replace(path, content)
	}
	//nolint:gosec // It is the file that the user names.
	file, err := os.OpenFile(path, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o600)
	if errors.Is(err, fs.ErrExist) {
		return explain.New(explain.Failed, path+" is already there",
			"name another file, or overwrite the configuration with --force")
	}
	if err != nil {
		return fmt.Errorf("the file cannot be written: %w", err)
	}
	return fill(file, content)
}

// replace puts a new file in the place of one.
func replace(path string, content []byte) error {
	file, err := os.CreateTemp(filepath.Dir(path), ".scsdynamo-*") // Its mode is 0600.
	if err != nil {
		return fmt.Errorf("the file cannot be written: %w", err)
	}
	if err := fill(file, content); err != nil {
		return errors.Join(err, os.Remove(file.Name()))
	}
	if err := os.Rename(file.Name(), path); err != nil {
		return errors.Join(fmt.Errorf("the file cannot be written: %w", err), os.Remove(file.Name()))
	}
	return nil
}

// fill writes a file, and closes it.
func fill(file *os.File, content []byte) error {
	_, err := file.Write(content)
	if err = errors.Join(err, file.Close()); err != nil {
		return fmt.Errorf("the file cannot be written: %w", err)
	}
	return nil
}

func (a *app) configShowCommand() *cobra.Command {
	var changed bool
	cmd := &cobra.Command{
		Use:   "show",
		Short: "Show what is set, and where",
		Long: `Show each key with its value and the place where it was set: default, file and line, environment variable, or
--set. Secrets are never shown.`,
		Example: `  scsdynamo config show --changed --environment production
  scsdynamo config show --output json | jq '.values[] | select(.key == "table.name")'`,
		Args: noArgs,
		RunE: func(*cobra.Command, []string) error { return a.configShow(changed) },
	}
	cmd.Flags().BoolVar(&changed, "changed", false, "show only what is set other than by default")
	return cmd
}

// shown is the result of config show.
type shown struct {
	Environment string         `json:"environment,omitempty"`
	File        string         `json:"file,omitempty"`
	Values      []config.Value `json:"values"`
}

func (a *app) configShow(changed bool) error {
	cfg, err := a.load()
	if err != nil {
		return err
	}
	result := shown{Environment: cfg.Environment(), File: cfg.File(), Values: []config.Value{}}
	for _, value := range cfg.Values() {
		if !changed || !value.Source.IsDefault() {
			result.Values = append(result.Values, value)
		}
	}
	if a.output == outputJSON {
		return a.print(result)
	}
	table := a.NewTable("KEY", "VALUE", "SOURCE")
	for _, value := range result.Values {
		text, style := value.Value, terminal.Plain
		if value.Source.IsDefault() {
			style = terminal.Faint
		}
		if key, _ := keys.Find(value.Key); text == "" && key.Otherwise != "" && value.Source.IsDefault() {
			text = "(" + key.Otherwise + ")"
		}
		table.Row(terminal.Cell{Text: value.Key}, terminal.Cell{Text: text, Style: style},
			terminal.Cell{Text: value.Source.String(), Style: style})
	}
	return table.Flush()
}

func (a *app) configCheckCommand() *cobra.Command {
	return &cobra.Command{
		Use:   "check",
		Short: "Check the configuration without using it",
		Long: `Read the configuration as the application does, and print all its mistakes at once, with file, line and key, or else
what should be seen to, such as a secret that others may read. Nothing is called or opened but the files that it is
made of. For what only the service knows, see "scsdynamo doctor".`,
		Example: `  scsdynamo config check --config config/scsdynamo/production.yaml`,
		Args:    noArgs,
		RunE:    func(*cobra.Command, []string) error { return a.configCheck() },
	}
}

// checked is the result of config check.
type checked struct {
	Environment string   `json:"environment,omitempty"`
	File        string   `json:"file,omitempty"`
	Set         int      `json:"set"`
	Warnings    []string `json:"warnings,omitempty"`
}

func (a *app) configCheck() error {
	cfg, err := a.load()
	if err != nil {
		return err
	}
	result, lines := checked{Environment: cfg.Environment(), File: cfg.File(), Set: countSet(cfg)},
		[]string{"no mistakes: " + describeConfig(cfg)}
	for _, warning := range cfg.Warnings() {
		result.Warnings = append(result.Warnings, warning.String())
		lines = append(lines, "warning: "+warning.String())
	}
	return a.print(result, lines...)
}

// describeConfig says in a few words where the configuration comes from.
func describeConfig(cfg *config.Config) string {
	file := "no file"
	if cfg.File() != "" {
		file = "file " + cfg.File()
	}
	return fmt.Sprintf("%s, %s set", file, terminal.Count(int64(countSet(cfg)), "key", "keys"))
}

func countSet(cfg *config.Config) int {
	set := 0
	for _, value := range cfg.Values() {
		if !value.Source.IsDefault() {
			set++
		}
	}
	return set
}
