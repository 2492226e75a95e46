package main_test

import (
	"bytes"
	"errors"
	"io"
	"maps"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"go.yaml.in/yaml/v3"

	"github.com/scsdynamo/scsdynamo/config"
)

// container is what is looked at of a container in a manifest, however deep it is.
type container struct {
	Name            string           `yaml:"name"`
	Image           string           `yaml:"image"`
	Args            []string         `yaml:"args"`
	Env             []map[string]any `yaml:"env"`
	Resources       map[string]map[string]string
	LivenessProbe   map[string]any `yaml:"livenessProbe"`
	ReadinessProbe  map[string]any `yaml:"readinessProbe"`
	SecurityContext struct {
		AllowPrivilegeEscalation *bool `yaml:"allowPrivilegeEscalation"`
		ReadOnlyRootFilesystem   bool  `yaml:"readOnlyRootFilesystem"`
		Capabilities             struct {
			Drop []string `yaml:"drop"`
		} `yaml:"capabilities"`
	} `yaml:"securityContext"`
}

type podSpec struct {
	ServiceAccountName            string `yaml:"serviceAccountName"`
	AutomountServiceAccountToken  *bool  `yaml:"automountServiceAccountToken"`
	EnableServiceLinks            *bool  `yaml:"enableServiceLinks"`
	TerminationGracePeriodSeconds int    `yaml:"terminationGracePeriodSeconds"`
	SecurityContext               struct {
		RunAsNonRoot   bool              `yaml:"runAsNonRoot"`
		RunAsUser      int               `yaml:"runAsUser"`
		SeccompProfile map[string]string `yaml:"seccompProfile"`
	} `yaml:"securityContext"`
	Containers     []container `yaml:"containers"`
	InitContainers []container `yaml:"initContainers"`
}

type template struct {
	Spec podSpec `yaml:"spec"`
}

// manifest is a Kubernetes object.
type manifest struct {
	Kind string            `yaml:"kind"`
	Data map[string]string `yaml:"data"`
	Spec struct {
		Replicas    int      `yaml:"replicas"`
		Template    template `yaml:"template"`
		JobTemplate struct {
			Spec struct {
				Template template `yaml:"template"`
			} `yaml:"spec"`
		} `yaml:"jobTemplate"`
	} `yaml:"spec"`
	AutomountServiceAccountToken *bool `yaml:"automountServiceAccountToken"`
}

func (m manifest) pod() podSpec {
	if m.Kind == "CronJob" {
		return m.Spec.JobTemplate.Spec.Template.Spec
	}
	return m.Spec.Template.Spec
}

const deploy = "../../deploy/"

// manifests reads all Kubernetes objects.
func manifests(t *testing.T) map[string][]manifest {
	t.Helper()
	paths, err := filepath.Glob(deploy + "kubernetes/*.yaml")
	if err != nil || len(paths) == 0 {
		t.Fatalf("no manifests: %v", err)
	}
	all := map[string][]manifest{}
	for _, path := range paths {
		decoder := yaml.NewDecoder(bytes.NewReader(read(t, path)))
		for {
			var m manifest
			if err := decoder.Decode(&m); errors.Is(err, io.EOF) {
				break
			} else if err != nil {
				t.Fatalf("%s: %v", path, err)
			}
			all[filepath.Base(path)] = append(all[filepath.Base(path)], m)
		}
	}
	return all
}

func read(t *testing.T, path string) []byte {
	t.Helper()
	text, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	return text
}

// Pods have no more rights than they need, and ours are asked how they are.
func TestManifestsAreSafe(t *testing.T) {
	t.Parallel()
	pods := 0
	for path, objects := range manifests(t) {
		for _, m := range objects {
			if m.Kind == "ServiceAccount" && (m.AutomountServiceAccountToken == nil || *m.AutomountServiceAccountToken) {
				t.Errorf("%s: the service account mounts its token", path)
			}
			pod := m.pod()
			if len(pod.Containers) == 0 {
				continue
			}
			pods++
			if s := pod.SecurityContext; !s.RunAsNonRoot || s.RunAsUser != 65532 ||
				s.SeccompProfile["type"] != "RuntimeDefault" {
				t.Errorf("%s: the pod's security context is %+v", path, s)
			}
			if pod.AutomountServiceAccountToken == nil || *pod.AutomountServiceAccountToken || pod.ServiceAccountName == "" {
				t.Errorf("%s: the pod mounts a token, or has no service account", path)
			}
			if pod.EnableServiceLinks == nil || *pod.EnableServiceLinks {
				t.Errorf("%s: each Service of the namespace gets a say in the environment", path)
			}
			if pod.TerminationGracePeriodSeconds < 30 {
				t.Errorf("%s: %d seconds to end in", path, pod.TerminationGracePeriodSeconds)
			}
			for _, c := range slices.Concat(pod.Containers, pod.InitContainers) {
				s := c.SecurityContext
				if s.AllowPrivilegeEscalation == nil || *s.AllowPrivilegeEscalation || !s.ReadOnlyRootFilesystem ||
					!slices.Equal(s.Capabilities.Drop, []string{"ALL"}) {
					t.Errorf("%s: the security context of %s is %+v", path, c.Name, s)
				}
				if c.Resources["requests"]["cpu"] == "" || c.Resources["limits"]["memory"] == "" {
					t.Errorf("%s: the resources of %s are %v", path, c.Name, c.Resources)
				}
				if c.Name == "gcrunner" && m.Kind != "CronJob" && c.LivenessProbe == nil {
					t.Errorf("%s: nobody asks whether gcrunner is alive", path)
				}
			}
		}
	}
	if pods != 3 {
		t.Errorf("%d pods; want 3", pods)
	}
}

// fitting is what must fit together in a manifest.
type fitting struct {
	Kind     string `yaml:"kind"`
	Metadata struct {
		Name        string            `yaml:"name"`
		Annotations map[string]string `yaml:"annotations"`
	} `yaml:"metadata"`
	Spec struct {
		Selector struct {
			MatchLabels map[string]string `yaml:"matchLabels"`
		} `yaml:"selector"`
		Template    fittingPod `yaml:"template"`
		JobTemplate struct {
			Spec struct {
				Template fittingPod `yaml:"template"`
			} `yaml:"spec"`
		} `yaml:"jobTemplate"`
	} `yaml:"spec"`
}

type fittingPod struct {
	Metadata struct {
		Labels map[string]string `yaml:"labels"`
	} `yaml:"metadata"`
	Spec struct {
		ServiceAccountName string             `yaml:"serviceAccountName"`
		Containers         []fittingContainer `yaml:"containers"`
		InitContainers     []fittingContainer `yaml:"initContainers"`
		Volumes            []struct {
			Name      string `yaml:"name"`
			ConfigMap struct {
				Name string `yaml:"name"`
			} `yaml:"configMap"`
		} `yaml:"volumes"`
	} `yaml:"spec"`
}

type fittingContainer struct {
	Name           string `yaml:"name"`
	Ports          []struct{ Name string }
	LivenessProbe  fittingProbe            `yaml:"livenessProbe"`
	ReadinessProbe fittingProbe            `yaml:"readinessProbe"`
	VolumeMounts   []struct{ Name string } `yaml:"volumeMounts"`
}

type fittingProbe struct {
	HTTPGet struct{ Path, Port string } `yaml:"httpGet"`
}

// The parts of the manifests name each other, which no schema shows: selectors pods, pods accounts and configurations,
// probes ports, mounts volumes. The account has a role of AWS.
func TestManifestsFitTogether(t *testing.T) {
	t.Parallel()
	there, pods := map[string]bool{}, map[string][]fitting{}
	paths, _ := filepath.Glob(deploy + "kubernetes/*.yaml")
	for _, path := range paths {
		for decoder := yaml.NewDecoder(bytes.NewReader(read(t, path))); ; {
			var object fitting
			if err := decoder.Decode(&object); errors.Is(err, io.EOF) {
				break
			} else if err != nil {
				t.Fatalf("%s: %v", path, err)
			}
			there[object.Kind+" "+object.Metadata.Name] = true
			if object.Kind == "CronJob" {
				object.Spec.Template = object.Spec.JobTemplate.Spec.Template
			}
			pods[path] = append(pods[path], object)
			if object.Kind == "ServiceAccount" && object.Metadata.Annotations["eks.amazonaws.com/role-arn"] == "" {
				t.Errorf("%s: the account has no role of AWS", path)
			}
		}
	}
	for path, objects := range pods {
		var labels map[string]string
		for _, object := range objects {
			pod := object.Spec.Template
			if len(pod.Spec.Containers) > 0 {
				labels = pod.Metadata.Labels
				pod.check(t, path, there)
			}
			for key, value := range object.Spec.Selector.MatchLabels {
				if labels[key] != value {
					t.Errorf("%s: %s selects pods with %s: %s; they have %v", path, object.Kind, key, value, labels)
				}
			}
		}
	}
}

func (pod fittingPod) check(t *testing.T, path string, there map[string]bool) {
	t.Helper()
	names := map[string]bool{}
	if account := "ServiceAccount " + pod.Spec.ServiceAccountName; !there[account] {
		t.Errorf("%s: there is no %s", path, account)
	}
	for _, volume := range pod.Spec.Volumes {
		names["volume "+volume.Name] = true
		if config := "ConfigMap " + volume.ConfigMap.Name; !there[config] {
			t.Errorf("%s: there is no %s", path, config)
		}
	}
	for _, c := range slices.Concat(pod.Spec.Containers, pod.Spec.InitContainers) {
		for _, port := range c.Ports {
			names["port "+port.Name] = true
		}
		for want, probe := range map[string]fittingProbe{"/livez": c.LivenessProbe, "/readyz": c.ReadinessProbe} {
			if got := probe.HTTPGet; got.Path != "" && (got.Path != want || !names["port "+got.Port]) {
				t.Errorf("%s: %s asks %s at port %q; want %s, at one of its ports", path, c.Name, got.Path, got.Port, want)
			}
		}
		for _, mount := range c.VolumeMounts {
			if !names["volume "+mount.Name] {
				t.Errorf("%s: %s mounts %q, which is no volume of the pod", path, c.Name, mount.Name)
			}
		}
	}
}

// The pages have no authentication: whoever is not let in by name does not reach them, and nothing else is cut off.
func TestNetworkPolicies(t *testing.T) {
	t.Parallel()
	type policy struct {
		Kind string
		Spec struct {
			PodSelector struct {
				MatchLabels map[string]string `yaml:"matchLabels"`
			} `yaml:"podSelector"`
			PolicyTypes []string `yaml:"policyTypes"`
			Ingress     []struct {
				From  []any
				Ports []struct{ Port int }
			}
			Template fittingPod `yaml:"template"`
			Job      struct {
				Spec struct {
					Template fittingPod `yaml:"template"`
				} `yaml:"spec"`
			} `yaml:"jobTemplate"`
		}
	}
	var policies, pods []policy
	paths, _ := filepath.Glob(deploy + "kubernetes/*.yaml")
	for _, path := range paths {
		for decoder := yaml.NewDecoder(bytes.NewReader(read(t, path))); ; {
			var object policy
			if err := decoder.Decode(&object); errors.Is(err, io.EOF) {
				break
			} else if err != nil {
				t.Fatalf("%s: %v", path, err)
			}
			switch object.Kind {
			case "NetworkPolicy":
				policies = append(policies, object)
			case "Deployment":
				pods = append(pods, object)
			case "CronJob":
				object.Spec.Template = object.Spec.Job.Spec.Template
				pods = append(pods, object)
			}
		}
	}
	if len(pods) != 3 {
		t.Fatalf("%d pods; want 3", len(pods))
	}
	for _, pod := range pods {
		labels, guarded := pod.Spec.Template.Metadata.Labels, false
		for _, p := range policies {
			selects := true
			for key, value := range p.Spec.PodSelector.MatchLabels {
				selects = selects && labels[key] == value
			}
			if !selects {
				continue
			}
			guarded = guarded || slices.Contains(p.Spec.PolicyTypes, "Ingress")
			for _, in := range p.Spec.Ingress {
				for _, port := range in.Ports {
					if port.Port == 9464 && len(in.From) == 0 || port.Port == 0 {
						t.Errorf("pods with %v: everybody reaches the pages of the collector", labels)
					}
				}
			}
		}
		if !guarded {
			t.Errorf("pods with %v: everybody reaches all their ports", labels)
		}
	}
}

// A sidecar that is not ready would take its pod out of service.
func TestSidecarDoesNotTakeThePodOutOfService(t *testing.T) {
	t.Parallel()
	for _, m := range manifests(t)["sidecar.yaml"] {
		for _, c := range m.pod().InitContainers {
			if c.ReadinessProbe != nil {
				t.Errorf("%s has a readiness probe", c.Name)
			}
		}
	}
}

var flagName = regexp.MustCompile(`^--([a-z-]+)(=|$)`)

// The command knows all flags that manifests, compose file and unit give it.
func TestDeploymentsUseFlagsThatThereAre(t *testing.T) {
	t.Parallel()
	help := invoke(t, environ(), "--help").stdout
	uses := map[string][]string{}
	for path, objects := range manifests(t) {
		for _, m := range objects {
			for _, c := range slices.Concat(m.pod().Containers, m.pod().InitContainers) {
				if c.Name == "gcrunner" {
					uses[path] = append(uses[path], c.Args...)
				}
			}
		}
	}
	unit := regexp.MustCompile(`(?m)^ExecStart=\S+ (.*)$`).FindSubmatch(read(t, deploy+"systemd/gcrunner.service"))
	if unit == nil {
		t.Fatal("the unit starts nothing")
	}
	uses["gcrunner.service"] = strings.Fields(string(unit[1]))
	uses["compose.yaml"] = collectorOfCompose(t).Command
	for path, args := range uses {
		found := 0
		for _, arg := range args {
			if name := flagName.FindStringSubmatch(arg); name != nil {
				found++
				if !strings.Contains(help, "--"+name[1]+" ") {
					t.Errorf("%s uses %s, which is no flag", path, arg)
				}
			}
		}
		if found == 0 && path != "common.yaml" {
			t.Errorf("%s gives no flags", path)
		}
	}
}

type composeService struct {
	Command     []string          `yaml:"command"`
	Environment map[string]string `yaml:"environment"`
	ReadOnly    bool              `yaml:"read_only"`
	CapDrop     []string          `yaml:"cap_drop"`
}

func collectorOfCompose(t *testing.T) composeService {
	t.Helper()
	var file struct {
		Services map[string]yaml.Node `yaml:"services"`
	}
	if err := yaml.Unmarshal(read(t, "../../examples/sidecar/compose.yaml"), &file); err != nil {
		t.Fatal(err)
	}
	var service composeService
	node := file.Services["gcrunner"]
	if err := node.Decode(&service); err != nil {
		t.Fatal(err)
	}
	return service
}

// The configurations load, and make a collector.
func TestDeploymentsAreConfiguredWithoutMistakes(t *testing.T) {
	t.Parallel()
	files := 0
	for path, objects := range manifests(t) {
		for _, m := range objects {
			text, ok := m.Data["scsdynamo.yaml"]
			if !ok {
				continue
			}
			files++
			file := filepath.Join(t.TempDir(), "scsdynamo.yaml")
			if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
				t.Fatal(err)
			}
			if _, err := config.Load(config.WithFile(file), config.WithEnviron(nil)); err != nil {
				t.Errorf("%s: %v", path, err)
			}
		}
	}
	if files != 1 {
		t.Errorf("%d configurations; want 1", files)
	}
	service := collectorOfCompose(t)
	var env []string
	for name := range maps.Keys(service.Environment) {
		env = append(env, name+"="+service.Environment[name])
	}
	if _, err := config.Load(config.WithDir(t.TempDir()), config.WithEnviron(env)); err != nil {
		t.Errorf("compose.yaml: %v", err)
	}
	if !service.ReadOnly || !slices.Equal(service.CapDrop, []string{"ALL"}) || len(env) < 5 {
		t.Errorf("compose.yaml: %+v", service)
	}
}

// Each alert has a runbook, and each runbook an alert.
func TestAlertsHaveRunbooks(t *testing.T) {
	t.Parallel()
	var rules struct {
		Groups []struct {
			Rules []struct {
				Alert       string            `yaml:"alert"`
				Expr        string            `yaml:"expr"`
				For         string            `yaml:"for"`
				Labels      map[string]string `yaml:"labels"`
				Annotations map[string]string `yaml:"annotations"`
			} `yaml:"rules"`
		} `yaml:"groups"`
	}
	decoder := yaml.NewDecoder(bytes.NewReader(read(t, deploy+"prometheus/gcrunner-rules.yaml")))
	decoder.KnownFields(true)
	var named struct {
		Groups []struct {
			Name  string           `yaml:"name"`
			Rules []map[string]any `yaml:"rules"`
		} `yaml:"groups"`
	}
	if err := decoder.Decode(&named); err != nil {
		t.Fatal(err)
	}
	if err := yaml.Unmarshal(read(t, deploy+"prometheus/gcrunner-rules.yaml"), &rules); err != nil {
		t.Fatal(err)
	}
	alerts := map[string]bool{}
	for _, rule := range rules.Groups[0].Rules {
		alerts[rule.Alert] = true
		if rule.Expr == "" || rule.Labels["severity"] == "" || rule.Annotations["summary"] == "" {
			t.Errorf("%s lacks an expression, a severity or a summary", rule.Alert)
		}
	}
	runbooks := map[string]bool{}
	for _, heading := range regexp.MustCompile(`(?m)^### (Gcrunner\w+)$`).FindAllSubmatch(read(t,
		"../../docs/operations.md"), -1) {
		runbooks[string(heading[1])] = true
	}
	if len(alerts) < 5 || !maps.Equal(alerts, runbooks) {
		t.Errorf("alerts %v, runbooks %v", slices.Sorted(maps.Keys(alerts)), slices.Sorted(maps.Keys(runbooks)))
	}
}

// The image is that of a user without rights, on nothing.
func TestDockerfile(t *testing.T) {
	t.Parallel()
	text := string(read(t, deploy+"Dockerfile"))
	_, last, found := strings.Cut(text, "\nFROM scratch\n")
	if !found || !strings.Contains(last, "\nUSER 65532:65532\n") || !strings.Contains(last, `ENTRYPOINT ["/gcrunner"]`) {
		t.Errorf("the last stage is %q", last)
	}
	if !strings.Contains(string(read(t, "../../.dockerignore")), "\n*\n") {
		t.Error(".dockerignore does not begin with nothing: engines may come into the image")
	}
}

// All that the images are built from is in the build context, also for the classic builder, which does not look into
// directories that are left out by * and not named.
func TestBuildContextIsComplete(t *testing.T) {
	t.Parallel()
	const module = "github.com/scsdynamo/scsdynamo/"
	ignore := string(read(t, "../../.dockerignore"))
	list, err := exec.CommandContext(t.Context(), "go", "list", "-deps", module+"cmd/gcrunner",
		module+"examples/counter").Output()
	if err != nil {
		t.Fatal(err)
	}
	found := 0
	for line := range strings.Lines(string(list)) {
		path, ours := strings.CutPrefix(strings.TrimSpace(line), module)
		if !ours {
			continue
		}
		found++
		if dir, _, _ := strings.Cut(path, "/"); !strings.Contains(ignore, "\n!"+dir+"\n") {
			t.Errorf(".dockerignore leaves out %s, which the images need", dir)
		}
	}
	if found < 5 {
		t.Errorf("the images are built of %d packages of this module", found)
	}
}
