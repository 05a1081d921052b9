// Command crdcheck asks the oldest Kubernetes that Headgate supports whether it would accept the custom resource
// definitions: it runs that version's own validation, with its CEL libraries and its estimates of what rules cost,
// which later versions have made more generous. No cluster is needed.
//
//	cd hack/crdcheck && go run . ../../crds/*.yaml
package main

import (
	"context"
	"fmt"
	"os"

	"k8s.io/apiextensions-apiserver/pkg/apis/apiextensions"
	v1 "k8s.io/apiextensions-apiserver/pkg/apis/apiextensions/v1"
	"k8s.io/apiextensions-apiserver/pkg/apis/apiextensions/validation"
	"sigs.k8s.io/yaml"
)

func main() {
	refused := 0
	for _, name := range os.Args[1:] {
		problems, err := check(name)
		if err != nil {
			fmt.Fprintf(os.Stderr, "%s: %v\n", name, err)
			os.Exit(2)
		}
		for _, problem := range problems {
			fmt.Fprintf(os.Stderr, "%s: %s\n", name, problem)
		}
		refused += len(problems)
	}
	if refused > 0 {
		os.Exit(1)
	}
	fmt.Printf("%d definitions are accepted\n", len(os.Args)-1)
}

// check returns what the API server would say against the definition in a file.
func check(name string) ([]string, error) {
	content, err := os.ReadFile(name)
	if err != nil {
		return nil, err
	}
	var served v1.CustomResourceDefinition
	if err := yaml.UnmarshalStrict(content, &served); err != nil {
		return nil, err
	}
	v1.SetObjectDefaults_CustomResourceDefinition(&served)
	var definition apiextensions.CustomResourceDefinition
	err = v1.Convert_v1_CustomResourceDefinition_To_apiextensions_CustomResourceDefinition(&served, &definition, nil)
	if err != nil {
		return nil, err
	}
	for _, version := range definition.Spec.Versions {
		if version.Storage {
			definition.Status.StoredVersions = []string{version.Name}
		}
	}
	var problems []string
	for _, problem := range validation.ValidateCustomResourceDefinition(context.Background(), &definition) {
		problems = append(problems, problem.Error())
	}
	return problems, nil
}
