package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"log/slog"
	"os"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/scsdynamo/scsdynamo/cmd/internal/explain"
	"github.com/scsdynamo/scsdynamo/cmd/internal/terminal"
	"github.com/scsdynamo/scsdynamo/cmd/internal/version"
	"github.com/scsdynamo/scsdynamo/config"
	"github.com/scsdynamo/scsdynamo/dynamostore"
	"github.com/scsdynamo/scsdynamo/gcrunner"
	"github.com/scsdynamo/scsdynamo/internal/keys"
)

// app is one run of the command.
type app struct {
	*terminal.Terminal
	file, environment string
	settings          []string // key=value
	output            string
	quiet             bool

	once, dryRun, profiles       bool
	interval, schedule, timeZone string
	listen, logFormat, logLevel  string
	hosts                        []string

	began bool // The command line was understood.
}

const (
	outputTable = "table"
	outputJSON  = "json"

	// defaultListen is of this machine alone: what is served has no authentication.
	defaultListen = "127.0.0.1:9464"
	listenNone    = "none"
)

// run does what the arguments say and returns the exit code.
func run(ctx context.Context, t *terminal.Terminal, args []string) int {
	a := &app{Terminal: t, output: outputTable}
	cmd := a.command()
	cmd.SetArgs(args)
	if err := cmd.ExecuteContext(ctx); err != nil {
		return a.fail(err)
	}
	return 0
}

const commandLong = `gcrunner deletes sessions that nobody needs any more, from a DynamoDB table or a bbolt file: expired ones, and those
that are too old or were not used for too long. A session that is renewed meanwhile, or in use, stays.

Without a schedule it makes one run and ends. With --interval or --schedule it runs again and again until it is told to
end, and serves a status page, probes and metrics. Processes that collect the same sessions elect one of them.

What it does is configured as for the application: defaults, then one file, then SCSDYNAMO_ environment variables, then
flags. The keys are in docs/configuration.md, those of collection under "collection". How to operate it is in
docs/operations.md.

SIGTERM or SIGINT ends it: the pages that were begun are finished (collection.stop_timeout), the position is saved, and
the election is given back. A second signal ends it at once.

`

const commandExample = `  gcrunner --dry-run                                   # what would go, and what it would cost
  gcrunner --set collection.max_stale=30d --output json
  gcrunner --interval 10m --set collection.write_units=25
  gcrunner --schedule "17 3 * * *" --time-zone Europe/Berlin --listen :9464`

func (a *app) command() *cobra.Command {
	cmd := &cobra.Command{
		Use:     "gcrunner",
		Short:   "Delete sessions that nobody needs any more",
		Long:    commandLong + codes.String(),
		Example: commandExample,
		Version: version.Line(),
		Args:    noArguments,
		RunE:    a.main,

		SilenceErrors: true,
		SilenceUsage:  true,
	}
	cmd.SetFlagErrorFunc(flagError)
	cmd.SetVersionTemplate("{{.Name}} {{.Version}}\n")
	cmd.SetOut(a.Out)
	cmd.SetErr(a.Err)
	flags := cmd.Flags()
	flags.SortFlags = false
	flags.StringVar(&a.file, "config", "", "the configuration `FILE` (default: "+keys.FileVariable+", else "+
		keys.DefaultFile("<environment>")+" or "+keys.DefaultFile("")+")")
	flags.StringVar(&a.environment, "environment", "",
		"the environment, such as production (default: "+keys.EnvironmentVariable+")")
	flags.StringArrayVar(&a.settings, "set", nil, "set a `KEY=VALUE`, over file and environment; may be repeated")
	flags.BoolVar(&a.dryRun, "dry-run", false, "delete nothing, only count: collection.dry_run=true")
	flags.BoolVar(&a.once, "once", false, "make one run and end, whatever schedule is configured")
	flags.StringVar(&a.interval, "interval", "", "run at this interval, such as 10m: collection.interval")
	flags.StringVar(&a.schedule, "schedule", "",
		"run at these times, a cron `EXPRESSION` such as \"17 3 * * *\": collection.schedule")
	flags.StringVar(&a.timeZone, "time-zone", "",
		"the time zone `NAME` of --schedule, such as Europe/Berlin (default: UTC)")
	flags.StringVar(&a.listen, "listen", defaultListen,
		"the `ADDRESS` of status page, probes and metrics, with a schedule; none for none")
	flags.StringArrayVar(&a.hosts, "host", nil,
		"serve requests to this `NAME`, too, such as that of a proxy, or * for any; may be "+
			"repeated (addresses, localhost, names without a dot, and under .internal, .local and .svc, are served always)")
	flags.BoolVar(&a.profiles, "pprof", false, "serve profiles there, too, under /debug/pprof/")
	flags.StringVar(&a.logFormat, "log-format", "text", "how to log: text or json")
	flags.StringVar(&a.logLevel, "log-level", "info", "what to log: debug, info, warn or error")
	flags.StringVarP(&a.output, "output", "o", outputTable, "how to print the result of a single run: table or json")
	flags.BoolVarP(&a.quiet, "quiet", "q", false, "print errors only: no result of a single run, and no progress")
	for flag, words := range choices { // It fails for flags that there are not.
		_ = cmd.RegisterFlagCompletionFunc(flag, cobra.FixedCompletions(words, cobra.ShellCompDirectiveNoFileComp))
	}
	return cmd
}

// main checks the command line, and runs once or by a schedule.
func (a *app) main(cmd *cobra.Command, _ []string) (err error) {
	if err := a.checkFlags(cmd.Flags()); err != nil {
		return err
	}
	a.began = true
	level, logger := a.newLogger()
	slog.SetDefault(logger) // also that of packages which know no other
	cfg, err := a.load()
	if err != nil {
		return err
	}
	schedule, err := a.scheduleOf(cfg)
	if err != nil {
		return err
	}
	if schedule == (gcrunner.Schedule{}) && a.quiet {
		level.Set(slog.LevelError)
	}
	ctx := cmd.Context()
	driver, err := openDriver(ctx, cfg)
	if err != nil {
		return err
	}
	defer func() {
		if closing := driver.Close(); closing != nil && err == nil {
			err = fmt.Errorf("the sessions cannot be closed: %w", closing)
		}
	}()
	if schedule == (gcrunner.Schedule{}) {
		return a.runOnce(ctx, cfg, driver, logger)
	}
	return a.runAgain(ctx, cfg, driver, schedule, logger)
}

// load reads the configuration. Flags with a name of their own win over --set.
func (a *app) load() (*config.Config, error) {
	options := []config.Option{config.WithClientOptions(logClient)}
	if a.file != "" {
		options = append(options, config.WithFile(a.file))
	}
	if a.environment != "" {
		options = append(options, config.WithEnvironment(a.environment))
	}
	const interval, schedule = "collection.interval", "collection.schedule"
	when := a.interval != "" || a.schedule != ""
	for _, setting := range a.settings {
		key, value, ok := strings.Cut(setting, "=")
		if !ok {
			return nil, usage("a --set has no value", "write --set KEY=VALUE")
		}
		if when && (key == interval || key == schedule) {
			continue
		}
		options = append(options, config.WithFlag("--set", key, value))
	}
	if a.interval != "" {
		options = append(options, config.WithFlag("--interval", interval, a.interval))
	}
	if a.schedule != "" {
		options = append(options, config.WithFlag("--schedule", schedule, a.schedule))
	}
	if a.dryRun {
		options = append(options, config.WithFlag("--dry-run", "collection.dry_run", true))
	}
	return config.Load(options...)
}

// scheduleOf returns the schedule, the zero one for a single run.
func (a *app) scheduleOf(cfg *config.Config) (gcrunner.Schedule, error) {
	s := cfg.Schedule()
	if a.once {
		s = gcrunner.Schedule{}
	}
	switch {
	case a.timeZone == "":
	case s.Cron == "":
		return s, usage("--time-zone without a cron schedule, which it is for", "give --schedule, too, or leave it out")
	default:
		zone, err := time.LoadLocation(a.timeZone)
		if err != nil {
			return s, usage("--time-zone: there is no such time zone", "write it as in Europe/Berlin")
		}
		s.Zone = zone
	}
	if s.Interval == 0 && s.Cron == "" {
		return gcrunner.Schedule{}, nil
	}
	if err := s.Validate(); err != nil {
		return s, misconfigured(err)
	}
	return s, nil
}

// openDriver opens what holds the sessions. It makes no file: one that is not there holds no sessions.
func openDriver(ctx context.Context, cfg *config.Config) (config.Driver, error) {
	if text(cfg, "driver") == "bolt" {
		path := text(cfg, "bolt.path")
		if _, err := os.Stat(path); errors.Is(err, fs.ErrNotExist) {
			return nil, explain.New(explain.NotFound, "there is no file "+path,
				"correct bolt.path; the application makes the file at its start")
		}
	}
	driver, err := cfg.Driver(ctx)
	if table, ok := driver.(interface{ WithoutData() *dynamostore.Driver }); ok {
		return withoutData{table.WithoutData(), driver}, err
	}
	return driver, err
}

// withoutData is a table of which no data of sessions is read.
type withoutData struct {
	*dynamostore.Driver
	io.Closer
}

func text(cfg *config.Config, key string) string {
	value, _ := cfg.Value(key)
	return value.Value
}

// place says where the sessions are. Where the table is named by its ARN, it leaves out account and Region.
func place(cfg *config.Config) string {
	if text(cfg, "driver") == "bolt" {
		return "file " + text(cfg, "bolt.path")
	}
	name := text(cfg, "table.name")
	return "DynamoDB table " + name[strings.LastIndexByte(name, '/')+1:]
}

// misconfigured is the error of a configuration that config finds no mistakes in, and gcrunner does.
func misconfigured(err error) error {
	e := explain.New(explain.Configuration, strings.TrimPrefix(err.Error(), "gcrunner: "), "")
	if errors.Is(err, gcrunner.ErrNoRule) {
		e.Text = "there is no rule, and without one nothing is deleted"
		e.Fix = "set collection.expired to true, or set collection.max_age or collection.max_stale"
	}
	e.Err = err
	return e
}
