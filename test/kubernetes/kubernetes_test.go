// Package kubernetes reads configs/kubernetes with Kubernetes' own types, strictly: an unknown field, or a value of the wrong
// type, is an error, as the API server has it with strict field validation. It is a module of its own, so that what it needs
// is no dependency of the program.
package kubernetes

import (
	"bufio"
	"bytes"
	"errors"
	"io"
	"os"
	"path"
	"strings"
	"testing"

	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/resource"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/labels"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/runtime/serializer"
	"k8s.io/apimachinery/pkg/util/validation"
	utilyaml "k8s.io/apimachinery/pkg/util/yaml"
)

const dir = "../../configs/kubernetes/"

// decode reads the documents of a text, each of which must be an object that Kubernetes knows.
func decode(text []byte) ([]runtime.Object, error) {
	scheme := runtime.NewScheme()
	if err := errors.Join(corev1.AddToScheme(scheme), appsv1.AddToScheme(scheme)); err != nil {
		return nil, err
	}
	decoder := serializer.NewCodecFactory(scheme, serializer.EnableStrict).UniversalDeserializer()
	var out []runtime.Object
	for r := utilyaml.NewYAMLReader(bufio.NewReader(bytes.NewReader(text))); ; {
		doc, err := r.Read()
		if errors.Is(err, io.EOF) {
			return out, nil
		}
		if err != nil {
			return nil, err
		}
		o, _, err := decoder.Decode(doc, nil, nil)
		if err != nil {
			return nil, err
		}
		out = append(out, o)
	}
}

func load(t *testing.T, name string) []runtime.Object {
	t.Helper()
	text, err := os.ReadFile(dir + name)
	if err != nil {
		t.Fatal(err)
	}
	out, err := decode(text)
	if err != nil {
		t.Fatalf("%s: %v", name, err)
	}
	return out
}

func TestDaemonSet(t *testing.T) {
	objects := load(t, "daemonset.yaml")
	if len(objects) != 2 {
		t.Fatalf("%d objects", len(objects))
	}
	namespace, ok1 := objects[0].(*corev1.Namespace)
	set, ok2 := objects[1].(*appsv1.DaemonSet)
	if !ok1 || !ok2 {
		t.Fatalf("%T, %T", objects[0], objects[1])
	}
	if set.Namespace != namespace.Name || len(validation.IsDNS1123Label(namespace.Name)) > 0 || len(validation.IsDNS1123Subdomain(set.Name)) > 0 {
		t.Errorf("%s in %s, namespace %s", set.Name, set.Namespace, namespace.Name)
	}
	selector, err := metav1.LabelSelectorAsSelector(set.Spec.Selector)
	if err != nil || selector.Empty() || !selector.Matches(labels.Set(set.Spec.Template.Labels)) {
		t.Errorf("selector %v does not match %v: %v", selector, set.Spec.Template.Labels, err)
	}
	pod(t, &set.Spec.Template.Spec)

	// The script's variables are the DaemonSet's, and its paths lie on the node.
	script, err := os.ReadFile(dir + "install.sh")
	if err != nil {
		t.Fatal(err)
	}
	c := set.Spec.Template.Spec.Containers[0]
	for _, e := range c.Env {
		if !strings.Contains(string(script), "${"+e.Name+":-") {
			t.Errorf("%s means nothing to install.sh", e.Name)
		}
		if e.Name == "NODE" && e.Value != c.VolumeMounts[0].MountPath {
			t.Errorf("the node is mounted at %s, not %s", c.VolumeMounts[0].MountPath, e.Value)
		}
	}
	container, err := os.ReadFile(dir + "Containerfile")
	if err != nil || !strings.Contains(string(container), "install.sh") {
		t.Errorf("Containerfile: %v", err)
	}
	if s := c.SecurityContext; s.Privileged != nil || *s.AllowPrivilegeEscalation || len(s.Capabilities.Add) != 1 {
		t.Errorf("more rights than are needed: %+v", s)
	}
}

func TestPod(t *testing.T) {
	p, ok := load(t, "pod.yaml")[0].(*corev1.Pod)
	if !ok {
		t.Fatal("no pod")
	}
	pod(t, &p.Spec)
	for key := range p.Annotations {
		if problems := validation.IsQualifiedName(key); len(problems) > 0 || !strings.HasSuffix(key, "/container."+p.Spec.Containers[0].Name) {
			t.Errorf("annotation %s: %v", key, problems)
		}
	}
}

// pod checks what types do not say.
func pod(t *testing.T, s *corev1.PodSpec) {
	t.Helper()
	volumes := map[string]bool{}
	for _, v := range s.Volumes {
		volumes[v.Name] = true
	}
	for _, c := range s.Containers {
		if len(validation.IsDNS1123Label(c.Name)) > 0 || c.Image == "" {
			t.Errorf("container %q, image %q", c.Name, c.Image)
		}
		for _, m := range c.VolumeMounts {
			if !volumes[m.Name] || !path.IsAbs(m.MountPath) {
				t.Errorf("mount %+v of no volume", m)
			}
			delete(volumes, m.Name)
		}
		for _, list := range []corev1.ResourceList{c.Resources.Limits, c.Resources.Requests} {
			for name, q := range list {
				if q.Cmp(resource.MustParse("0")) <= 0 {
					t.Errorf("%s: %s", name, q.String())
				}
			}
		}
	}
	for v := range volumes {
		t.Errorf("volume %s is mounted nowhere", v)
	}
	for key, value := range s.NodeSelector {
		if len(validation.IsQualifiedName(key)) > 0 || len(validation.IsValidLabelValue(value)) > 0 {
			t.Errorf("node selector %s=%s", key, value)
		}
	}
}

// The reader does find mistakes.
func TestStrict(t *testing.T) {
	text, err := os.ReadFile(dir + "daemonset.yaml")
	if err != nil {
		t.Fatal(err)
	}
	for old, new := range map[string]string{"mountPropagation:": "mountPropagaton:", "readOnlyRootFilesystem: true": `readOnlyRootFilesystem: "yes"`,
		"apiVersion: apps/v1": "apiVersion: apps/v2", "memory: 32Mi": "memory: 32Mx"} {
		if _, err := decode(bytes.Replace(text, []byte(old), []byte(new), 1)); err == nil {
			t.Errorf("%q is accepted", new)
		}
	}
}
