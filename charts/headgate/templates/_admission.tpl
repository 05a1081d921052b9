{{/* The operator's own identity, as requests carry it. */}}
{{- define "headgate.admission.operator" -}}
system:serviceaccount:{{ .Release.Namespace }}:{{ include "headgate.serviceAccountName" . }}
{{- end -}}

{{/* The binding of a policy. Call with (dict "root" $ "name" "headgate-x" "tenants" true): with tenants it concerns what is
  in the namespaces of workspaces only. A policy's further binding has, as "of", what it concerns in its name. */}}
{{- define "headgate.admission.binding" -}}
apiVersion: admissionregistration.k8s.io/v1
kind: ValidatingAdmissionPolicyBinding
metadata:
  name: {{ .name }}{{ with .of }}-{{ . }}{{ end }}
  labels: {{- include "headgate.labels" (dict "root" .root "component" "tenancy") | nindent 4 }}
spec:
  policyName: {{ .name }}
  validationActions: [Deny, Audit]
  {{- if .tenants }}
  matchResources:
    namespaceSelector:
      matchExpressions:
        - {key: headgate.dev/workspace, operator: Exists}
  {{- end }}
{{- end -}}

{{/* Conditions that take out what Kubernetes itself does. */}}
{{- define "headgate.admission.notKubernetes" -}}
- name: not-kubernetes
  expression: >-
    !(request.userInfo.username in ['system:kube-controller-manager', 'system:kube-scheduler', 'system:apiserver']
    || request.userInfo.groups.exists(g, g in ['system:serviceaccounts:kube-system', 'system:nodes']))
{{- end -}}

{{- define "headgate.admission.isOperator" -}}
- name: operator
  expression: request.userInfo.username == '{{ include "headgate.admission.operator" . }}'
{{- end -}}

{{- define "headgate.admission.notOperator" -}}
- name: not-operator
  expression: request.userInfo.username != '{{ include "headgate.admission.operator" . }}'
{{- end -}}

{{/* Conditions that take out whom the values exempt. */}}
{{- define "headgate.admission.notExempt" -}}
{{- with .Values.admission.exempt }}
- name: not-exempt
  expression: >-
    !(request.userInfo.username in {{ toJson .users }}
    || request.userInfo.groups.exists(g, g in {{ toJson .groups }}))
{{- end }}
{{- end -}}

{{/* Who may update the Workspace of the namespace is of the platform's team. */}}
{{- define "headgate.admission.platform" -}}
- name: platform
  expression: >-
    authorizer.group('headgate.dev').resource('workspaces')
    .name(namespaceObject.metadata.labels['headgate.dev/workspace']).check('update').allowed()
{{- end -}}

{{/* CEL: an annotation of the namespace, '' where it is absent. Call with its name below headgate.dev/. */}}
{{- define "headgate.admission.annotation" -}}
namespaceObject.metadata.?annotations[?'headgate.dev/{{ . }}'].orValue('')
{{- end -}}

{{/* Every kind of object that holds the spec of pods, and the subresources that change one. */}}
{{- define "headgate.admission.podPaths" -}}
- apiGroups: [""]
  apiVersions: ["*"]
  resources: [pods, pods/ephemeralcontainers, pods/resize, podtemplates, replicationcontrollers]
  operations: [CREATE, UPDATE]
  scope: Namespaced
- apiGroups: [apps]
  apiVersions: ["*"]
  resources: [deployments, statefulsets, daemonsets, replicasets]
  operations: [CREATE, UPDATE]
  scope: Namespaced
- apiGroups: [batch]
  apiVersions: ["*"]
  resources: [jobs, cronjobs]
  operations: [CREATE, UPDATE]
  scope: Namespaced
{{- end -}}

{{/* CEL: the template of pods that an object holds; the object itself where it is a pod. Call with "object". */}}
{{- define "headgate.admission.template" -}}
({{ . }}.kind == 'Pod' ? dyn({{ . }})
: {{ . }}.kind == 'PodTemplate' ? dyn({{ . }}).?template.orValue({})
: {{ . }}.kind == 'CronJob' ? dyn({{ . }}).?spec.?jobTemplate.?spec.?template.orValue({})
: dyn({{ . }}).?spec.?template.orValue({}))
{{- end -}}

{{/* The pod spec has changed: a rule that got stricter must not keep anybody from touching the rest, or from deleting. */}}
{{- define "headgate.admission.podChanged" -}}
- name: pod-changed
  expression: >-
    request.operation == 'CREATE'
    || {{ include "headgate.admission.template" "object" | nindent 4 }}.?spec
    != {{ include "headgate.admission.template" "oldObject" | nindent 4 }}.?spec
{{- end -}}

{{/* The variables pod, its spec, and containers, those of all three lists. */}}
{{- define "headgate.admission.podVariables" -}}
- name: pod
  expression: >-
    {{- include "headgate.admission.template" "object" | nindent 4 }}.?spec.orValue({})
- name: containers
  expression: >-
    variables.pod.?containers.orValue([]) + variables.pod.?initContainers.orValue([])
    + variables.pod.?ephemeralContainers.orValue([])
{{- end -}}

{{/* A rule for every container `c`. Call with (dict "ok" <CEL> "say" <text> "level" "restricted" or none for baseline). */}}
{{- define "headgate.admission.eachContainer" -}}
{{- $ok := regexReplaceAll `\s+` .ok " " -}}
- expression: >-
    !variables.{{ .level | default "baseline" }} || variables.containers.all(c, {{ $ok }})
  message: {{ .say | quote }}
  messageExpression: >-
    {{ printf "%s: container " .say | squote }}
    + variables.containers.filter(c, !({{ $ok }})).map(c, string(c.?name.orValue('?'))).join(', ')
{{- end -}}

{{/* A rule for the pod. Call with (dict "ok" <CEL> "say" <text> "level" "restricted" or none for baseline "found" <CEL of a string>). */}}
{{- define "headgate.admission.ofPod" -}}
{{- $ok := regexReplaceAll `\s+` .ok " " -}}
- expression: >-
    !variables.{{ .level | default "baseline" }} || ({{ $ok }})
  message: {{ .say | quote }}
  {{- with .found }}
  messageExpression: >-
    {{ printf "%s: " $.say | squote }} + {{ regexReplaceAll `\s+` . " " }}
  {{- end }}
{{- end -}}
