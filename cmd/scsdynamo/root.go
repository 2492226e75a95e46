package main

import (
	"cmp"
	"context"
	"fmt"
	"io"
	"os"
	"slices"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/scsdynamo/scsdynamo/cmd/internal/explain"
	"github.com/scsdynamo/scsdynamo/cmd/internal/terminal"
	"github.com/scsdynamo/scsdynamo/cmd/internal/version"
	"github.com/scsdynamo/scsdynamo/config"
	"github.com/scsdynamo/scsdynamo/internal/keys"
)

// app is one run of the command.
type app struct {
	*terminal.Terminal
	file, environment string
	settings          []string // key=value
	output            string
	timeout           time.Duration
	quiet, verbose    bool

	began  bool // The command line was understood.
	cancel context.CancelFunc
}

// The ways to print results.
const (
	outputTable = "table"
	outputJSON  = "json"
)

var outputs = []string{outputTable, outputJSON}

// run does what the arguments say and returns the exit code.
func run(ctx context.Context, t *terminal.Terminal, args []string) int {
	a := &app{Terminal: t, output: outputTable, cancel: func() {}}
	root := a.root() //nolint:contextcheck // Cobra hands the context on.
	help := &watchedWriter{Writer: a.Out}
	root.SetOut(help)
	root.SetArgs(arguments(root, args))
	err := root.ExecuteContext(ctx)
	a.cancel()
	if help.err != nil {
		a.began = true
		err = outputError(help.err)
	}
	if err == nil {
		return 0
	}
	return a.fail(err)
}

// watchedWriter keeps the first error of writing: cobra, which prints help, versions and completions, does not look at
// it.
type watchedWriter struct {
	io.Writer
	err error
}

// Write implements io.Writer.
func (w *watchedWriter) Write(p []byte) (int, error) {
	n, err := w.Writer.Write(p)
	w.err = cmp.Or(w.err, err)
	return n, err
}

const rootLong = `scsdynamo operates session stores on DynamoDB or in a bbolt file, as the application is configured to use them.

Something is wrong right now? Start with "scsdynamo doctor".

The configuration is that of the application: defaults, then one file, then SCSDYNAMO_ environment variables, then
--set. "scsdynamo config show" tells what it is and where each value comes from. Credentials are found as the AWS SDK
finds them.

Results go to standard output, everything else to standard error. With --output json, results are JSON, and so is an
error: {"error": {"kind": ..., "exit_code": ..., "message": ..., "problems": [...], "fix": ...}}.

`

const rootExample = `  scsdynamo doctor --environment production
  scsdynamo config init && scsdynamo table create
  scsdynamo sessions count --set table.name=web-sessions
  scsdynamo table iam --role app`

func (a *app) root() *cobra.Command {
	root := &cobra.Command{
		Use:     "scsdynamo",
		Short:   "Operate session stores on DynamoDB or bbolt",
		Long:    rootLong + codes.String(),
		Example: rootExample,
		Version: version.Line(),
		Args:    cobra.ArbitraryArgs,
		RunE:    a.group,

		SuggestionsMinimumDistance: 2,

		SilenceErrors:     true,
		SilenceUsage:      true,
		PersistentPreRunE: a.begin,
	}
	root.SetVersionTemplate("{{.Name}} {{.Version}}\n")
	root.SetFlagErrorFunc(flagError)
	root.SetErr(a.Err)
	flags := root.PersistentFlags()
	flags.SortFlags = false
	flags.StringVar(&a.file, "config", "", "the configuration `FILE` (default: "+keys.FileVariable+", else "+
		keys.DefaultFile("ENVIRONMENT")+" or "+keys.DefaultFile("")+")")
	flags.StringVar(&a.environment, "environment", "",
		"the `ENVIRONMENT`, such as production (default: "+keys.EnvironmentVariable+")")
	flags.StringArrayVar(&a.settings, "set", nil, "set a `KEY=VALUE`, over file and environment; may be repeated")
	flags.StringVarP(&a.output, "output", "o", outputTable, "how to print results: `table or json`")
	flags.DurationVar(&a.timeout, "timeout", 0,
		"give up after this `TIME`, such as 30s (default: none, but each call has its own)")
	flags.BoolVarP(&a.quiet, "quiet", "q", false, "print results and errors only: no notes, no progress")
	flags.BoolVarP(&a.verbose, "verbose", "v", false, "print the causes of errors, and what was consumed")
	a.complete(root, "output", outputs...)
	_ = root.RegisterFlagCompletionFunc("set", completeSetting)             // It fails for flags that there are not.
	_ = root.RegisterFlagCompletionFunc("environment", completeEnvironment) // Likewise.

	root.AddCommand(a.configCommand(), a.tableCommand(), a.sessionsCommand(), a.doctorCommand())
	return root
}

// begin is what happens before each command, once its flags and arguments are understood.
func (a *app) begin(cmd *cobra.Command, _ []string) error {
	if !slices.Contains(outputs, a.output) {
		a.output = outputTable
		return usage(cmd, "--output must be "+strings.Join(outputs, " or "))
	}
	if a.timeout < 0 {
		return usage(cmd, "--timeout must not be negative")
	}
	// A variable of a script that is not set must not mean the default.
	for _, name := range []string{"config", "environment"} {
		if flag := cmd.Flag(name); flag != nil && flag.Changed && flag.Value.String() == "" {
			return usage(cmd, "--"+name+" is empty; leave it out for the default")
		}
	}
	a.Watched = a.Watched && !a.quiet
	if a.timeout > 0 {
		ctx, cancel := context.WithTimeout(cmd.Context(), a.timeout)
		a.cancel = cancel
		cmd.SetContext(ctx)
	}
	a.began = true
	return nil
}

// group is the run function of commands that only have others below them.
func (a *app) group(cmd *cobra.Command, args []string) error {
	if len(args) > 0 {
		text := "there is no such command" // It may be a token, so it is not repeated.
		if meant := cmd.SuggestionsFor(args[0]); len(meant) > 0 {
			text += "; did you mean " + strings.Join(meant, " or ") + "?"
		}
		return usage(cmd, text)
	}
	if cmd.HasParent() {
		return usage(cmd, "a command is missing: "+strings.Join(names(cmd), ", "))
	}
	return cmd.Help()
}

// commands returns a command that only has others below it.
func (a *app) commands(use, short, long string, below ...*cobra.Command) *cobra.Command {
	cmd := &cobra.Command{
		Use: use, Short: short, Long: long, Args: cobra.ArbitraryArgs, RunE: a.group, SuggestionsMinimumDistance: 2,
	}
	cmd.AddCommand(below...)
	return cmd
}

// noArgs refuses arguments.
func noArgs(cmd *cobra.Command, args []string) error {
	if len(args) > 0 {
		return usage(cmd, fmt.Sprintf("it takes no arguments, and has %d", len(args)))
	}
	return nil
}

func names(cmd *cobra.Command) []string {
	var names []string
	for _, below := range cmd.Commands() {
		if below.IsAvailableCommand() && below.Name() != "help" {
			names = append(names, below.Name())
		}
	}
	return names
}

// usage is the error of a command line that is wrong.
func usage(cmd *cobra.Command, text string) error {
	return explain.New(explain.Usage, text, fmt.Sprintf("see %q", cmd.CommandPath()+" --help"))
}

// load reads the configuration. What is given wins over --set.
func (a *app) load(options ...config.Option) (*config.Config, error) {
	var all []config.Option
	if a.file != "" {
		all = append(all, config.WithFile(a.file))
	}
	if a.environment != "" {
		all = append(all, config.WithEnvironment(a.environment))
	}
	set, err := a.set()
	if err != nil {
		return nil, err
	}
	for _, s := range set {
		all = append(all, config.WithFlag("--set", s.key, s.value))
	}
	return config.Load(append(all, options...)...)
}

type setting struct{ key, value string }

// set returns what --set sets.
func (a *app) set() ([]setting, error) {
	var set []setting
	for _, text := range a.settings {
		key, value, ok := strings.Cut(text, "=")
		if known, _ := keys.Find(key); known.Secret {
			return nil, explain.New(explain.Configuration, "--set "+key+": "+keys.OnCommandLine, "")
		}
		if !ok {
			return nil, explain.New(explain.Usage, "a --set has no value", "write --set KEY=VALUE")
		}
		set = append(set, setting{key, value})
	}
	return set, nil
}

// environmentName returns the name of the environment where no configuration is read.
func (a *app) environmentName() string {
	if a.environment != "" {
		return a.environment
	}
	return os.Getenv(keys.EnvironmentVariable)
}
