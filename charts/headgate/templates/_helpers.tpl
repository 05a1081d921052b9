{{- define "headgate.fullname" -}}
{{- if .Values.fullnameOverride -}}
{{- .Values.fullnameOverride | trunc 50 | trimSuffix "-" -}}
{{- else if contains .Chart.Name .Release.Name -}}
{{- .Release.Name | trunc 50 | trimSuffix "-" -}}
{{- else -}}
{{- printf "%s-%s" .Release.Name .Chart.Name | trunc 50 | trimSuffix "-" -}}
{{- end -}}
{{- end -}}

{{/* Labels that select pods: they can never change. Call with (dict "root" $ "component" "operator"). */}}
{{- define "headgate.selectorLabels" -}}
app.kubernetes.io/name: headgate
app.kubernetes.io/instance: {{ .root.Release.Name }}
app.kubernetes.io/component: {{ .component }}
{{- end -}}

{{/* Labels of everything else. Call with (dict "root" $ "component" "operator"). */}}
{{- define "headgate.labels" -}}
{{ include "headgate.selectorLabels" . }}
app.kubernetes.io/version: {{ .root.Chart.AppVersion | quote }}
app.kubernetes.io/managed-by: {{ .root.Release.Service }}
helm.sh/chart: {{ printf "%s-%s" .root.Chart.Name .root.Chart.Version }}
{{- end -}}

{{- define "headgate.image" -}}
{{- if .Values.image.digest -}}
{{- printf "%s@%s" .Values.image.repository .Values.image.digest -}}
{{- else -}}
{{- printf "%s:%s" .Values.image.repository (.Values.image.tag | default .Chart.AppVersion) -}}
{{- end -}}
{{- end -}}

{{- define "headgate.serviceAccountName" -}}
{{- .Values.serviceAccount.name | default (ternary (include "headgate.fullname" .) "default" .Values.serviceAccount.create) -}}
{{- end -}}

{{/* The Lease for which the replicas compete. */}}
{{- define "headgate.leaseName" -}}
{{- printf "%s-operator" (include "headgate.fullname" .) -}}
{{- end -}}

{{/* Whether there is a gateway: it can do nothing without a database. */}}
{{- define "headgate.gateway" -}}
{{- if and .Values.gateway.enabled .Values.database.existingSecret -}}yes{{- end -}}
{{- end -}}

{{- define "headgate.podSecurityContext" -}}
runAsNonRoot: true
runAsUser: 65532
runAsGroup: 65532
seccompProfile: {type: RuntimeDefault}
{{- end -}}

{{- define "headgate.containerSecurityContext" -}}
allowPrivilegeEscalation: false
readOnlyRootFilesystem: true
capabilities: {drop: [ALL]}
{{- end -}}
