// Package config reads the settings of a store from code, the environment and a YAML file, and makes the store.
//
//	cfg, err := config.Load()
//	if err != nil {
//		return err // every mistake, with file, line and key
//	}
//	store, err := cfg.Open(ctx)
//
// docs/configuration.md lists all keys and says what each of them does.
//
// # Where values come from
//
// The later of these wins, key by key:
//
//   - the defaults, which are those of the packages that the keys are about,
//   - one file: that of [WithFile], else of SCSDYNAMO_CONFIG_FILE, else with an environment
//     config/scsdynamo/<environment>.yaml, which must exist, and without one config/scsdynamo.yaml, which may be
//     missing; the environment is that of [WithEnvironment], else of SCSDYNAMO_ENV,
//   - environment variables: SCSDYNAMO_ and the key in capitals, with underscores for dots; those that Kubernetes
//     sets for a Service whose name begins with scsdynamo are told apart, and not read,
//   - code: [With].
//
// [Config.Values] tells for each key what it is and where it was set.
//
// # Guarantees
//
//   - All that is wrong is in one [*Error], with file, line and key: unknown keys and unknown SCSDYNAMO_ variables with
//     the name that was probably meant, durations without a unit, numbers that are not plain decimal ones, keys that do
//     not go together, also those of a driver or strategy that is not chosen.
//   - Nothing in a file or a variable is executed or expanded: no $VARIABLE, no ~, no template. YAML's anchors,
//     aliases, merge keys, tags and further documents are refused.
//   - A file is read up to 256 KiB, and a secret file up to 4 KiB.
//   - No error and no way of printing a [Config] shows a secret.
//   - [Config.Warnings] has what is allowed but should be changed, such as a secret that others may read.
//
// # Non-guarantees
//
//   - [Load] makes no call to AWS: whether the table exists, fits and may be used shows when it is used.
//   - Files are read once. A change takes effect with the next start.
//   - AWS's own variables and files, such as AWS_REGION and credentials, are read by the SDK. They are not in Values.
//   - Secrets stay in the memory of the process, and so in its core dumps.
package config

//go:generate go test -run ^TestReference$ -update .
