{{/* The API version that the cluster serves of policies which mutate; '' where it serves none, or where none are wanted. */}}
{{- define "headgate.defaults.version" -}}
{{- if and .Values.admission.enabled .Values.admission.defaults -}}
{{- if .Capabilities.APIVersions.Has "admissionregistration.k8s.io/v1/MutatingAdmissionPolicy" -}}
admissionregistration.k8s.io/v1
{{- else if .Capabilities.APIVersions.Has "admissionregistration.k8s.io/v1beta1/MutatingAdmissionPolicy" -}}
admissionregistration.k8s.io/v1beta1
{{- end -}}
{{- end -}}
{{- end -}}

{{/* The binding of a policy that mutates: what is in the namespaces of workspaces. Call with (dict "root" $ "name" "headgate-x"). */}}
{{- define "headgate.defaults.binding" -}}
apiVersion: {{ include "headgate.defaults.version" .root }}
kind: MutatingAdmissionPolicyBinding
metadata:
  name: {{ .name }}
  labels: {{- include "headgate.labels" (dict "root" .root "component" "tenancy") | nindent 4 }}
spec:
  policyName: {{ .name }}
  matchResources:
    namespaceSelector:
      matchExpressions:
        - {key: headgate.dev/workspace, operator: Exists}
{{- end -}}

{{/* Conditions that take out whom no default concerns. Who forges the label only misses the defaults: policies refuse it. */}}
{{- define "headgate.defaults.conditions" -}}
{{ include "headgate.admission.notOperator" . }}
{{- with include "headgate.admission.notExempt" . }}
{{ . }}
{{- end }}
- name: not-headgate-s
  expression: dyn(object).metadata.?labels[?'app.kubernetes.io/managed-by'].orValue('') != 'headgate'
{{- end -}}

{{/* What holds the spec of pods and may change it. Pods and Jobs keep theirs once they are made. */}}
{{- define "headgate.defaults.podPaths" -}}
- apiGroups: [""]
  apiVersions: ["*"]
  resources: [pods]
  operations: [CREATE]
  scope: Namespaced
- apiGroups: [""]
  apiVersions: ["*"]
  resources: [podtemplates, replicationcontrollers]
  operations: [CREATE, UPDATE]
  scope: Namespaced
- apiGroups: [apps]
  apiVersions: ["*"]
  resources: [deployments, statefulsets, daemonsets, replicasets]
  operations: [CREATE, UPDATE]
  scope: Namespaced
- apiGroups: [batch]
  apiVersions: ["*"]
  resources: [cronjobs]
  operations: [CREATE, UPDATE]
  scope: Namespaced
- apiGroups: [batch]
  apiVersions: ["*"]
  resources: [jobs]
  operations: [CREATE]
  scope: Namespaced
{{- end -}}

{{/* A controller that compares a ReplicaSet's template with its own would make another one for ever, and the DaemonSet
  controller has chosen the node already by what its own template says. */}}
{{- define "headgate.defaults.podConditions" -}}
{{ include "headgate.defaults.conditions" . }}
- name: template-is-its-own
  expression: >-
    !dyn(object).metadata.?ownerReferences.orValue([]).exists(o, o.?controller.orValue(false)
    && (object.kind == 'ReplicaSet' || (object.kind == 'Pod' && o.kind == 'DaemonSet')))
{{ include "headgate.admission.podChanged" . }}
{{- end -}}

{{/* The variables pod, the spec of pods; path, where it is; linux; restricted, whether the namespace has that level. */}}
{{- define "headgate.defaults.podVariables" -}}
- name: pod
  expression: >-
    {{- include "headgate.admission.template" "object" | nindent 4 }}.?spec.orValue({})
- name: path
  expression: >-
    object.kind == 'Pod' ? '/spec' : object.kind == 'PodTemplate' ? '/template/spec'
    : object.kind == 'CronJob' ? '/spec/jobTemplate/spec/template/spec' : '/spec/template/spec'
- name: linux
  expression: variables.pod.?os.?name.orValue('linux') != 'windows'
- name: restricted
  expression: >-
    !(namespaceObject.metadata.labels[?'pod-security.kubernetes.io/enforce'].orValue('restricted')
    in ['privileged', 'baseline'])
{{- end -}}

{{/* The variables of containers: whole, whether the request is about more than ephemeral containers; the three lists, of which
  those are empty that the request leaves alone; all of them; old, the names of those that are there already and stay. */}}
{{- define "headgate.defaults.containerVariables" -}}
- name: whole
  expression: request.?subResource.orValue('') == ''
- name: containers
  expression: "variables.whole ? variables.pod.?containers.orValue([]) : []"
- name: initContainers
  expression: "variables.whole ? variables.pod.?initContainers.orValue([]) : []"
- name: ephemeralContainers
  expression: "variables.whole ? [] : variables.pod.?ephemeralContainers.orValue([])"
- name: all
  expression: variables.containers + variables.initContainers
- name: old
  expression: >-
    variables.whole ? [] : dyn(oldObject).?spec.?ephemeralContainers.orValue([]).map(c, string(c.name))
{{- end -}}

{{/* CEL: whether the request says nothing of a field of the spec. Admission of Kubernetes itself may have filled it from a
  default of the cluster before; managedFields, which are older, tell who wrote it. Call with the field's name. */}}
{{- define "headgate.defaults.silent" -}}
(!dyn(object).?spec.?{{ . }}.hasValue() || (dyn(object).metadata.?managedFields.orValue([]).size() > 0
&& !dyn(object).metadata.managedFields.exists(m, m.?fieldsV1[?'f:spec'][?'f:{{ . }}'].hasValue())))
{{- end -}}

{{/* A mutation. Call with CEL of a list of JSONPatch. */}}
{{- define "headgate.defaults.mutation" -}}
- patchType: JSONPatch
  jsonPatch:
    expression: >-
      {{ regexReplaceAll `\s+` . " " }}
{{- end -}}
