# Longhaul on Nomad, as a job of its own: two daemons, which reach Nomad by the Task API and are known there by
# their workload identity.
#
# From 1.6 on where ACLs are off. Where they are on, from 1.9.6: before, the event stream takes no workload
# identity (hashicorp/nomad #24849), and a token in its place will do (deploy/nomad/longhaul.yml says how). On
# agents that are servers as well it must be one with #27099.
#
# RabbitMQ and Postgres are yours: deploy/nomad/longhaul.yml says where they are. In the checkout's root:
#
#   nomad var put nomad/jobs/longhaul http_token=… postgres_password=… rabbitmq_password=…
#   nomad acl policy apply -namespace default -job longhaul longhaul policy.hcl   # where ACLs are on
#   nomad job run deploy/longhaul.nomad.hcl
#
# In another namespace give all three of them `-namespace`, the last one `-var namespace=…` as well.
#
# policy.hcl is what a daemon may do, and all that it does (`longhaul doctor` tells what is missing):
#
#   namespace "default" {
#     capabilities = ["list-jobs", "read-job", "submit-job", "read-logs"]
#   }
#   node {
#     policy = "read"
#   }
#   agent {
#     policy = "read"
#   }

variable "image" {
  type        = string
  default     = "longhaul"
  description = "The daemon's image; with a registry, where every node can pull it."
}

variable "namespace" {
  type        = string
  default     = "default"
  description = "Where the daemons run, and the tasks with them. The policy above names it, too."
}

variable "datacenters" {
  type    = list(string)
  default = ["*"]
}

job "longhaul" {
  namespace   = var.namespace
  datacenters = var.datacenters
  type        = "service"

  # One after the other, and back to the version before where a new one does not become healthy.
  update {
    max_parallel     = 1
    health_check     = "checks"
    min_healthy_time = "10s"
    healthy_deadline = "3m"
    auto_revert      = true
  }

  group "daemon" {
    # Every one takes messages; one of them leads, and another within 8 s of its end.
    count = 2

    constraint {
      operator = "distinct_hosts"
      value    = "true"
    }

    restart {
      attempts = 10
      interval = "10m"
      delay    = "5s"
      mode     = "delay"
    }

    # Open on the addresses of the clients that the daemons run on, and without TLS: the token goes over
    # the wire as it is. Where that is more than a trusted network, have the port on one of its own
    # (`host_network`, of the clients' configuration), or a proxy with TLS before it.
    network {
      port "http" {
        to = 8420
      }
    }

    service {
      provider = "nomad"
      name     = "longhaul"
      port     = "http"

      check {
        type     = "http"
        path     = "/healthz"
        interval = "10s"
        timeout  = "5s"
      }
    }

    task "longhaul" {
      driver = "docker"

      # On SIGTERM it gives its messages back and ends within 10 s. Tasks go on.
      kill_signal  = "SIGTERM"
      kill_timeout = "20s"

      # The token is /secrets/nomad_token, written anew before it expires, and read anew at each call.
      identity {
        file = true
      }

      # Nomad's own variables (NOMAD_NAMESPACE, NOMAD_REGION) say the rest.
      env {
        NOMAD_ADDR = "unix://${NOMAD_SECRETS_DIR}/api.sock"
      }

      config {
        image           = var.image
        ports           = ["http"]
        args            = ["run", "--config", "/local/longhaul.yml"]
        readonly_rootfs = true
        cap_drop        = ["all"]

        mount {
          type   = "tmpfs"
          target = "/tmp"
        }
      }

      # No `user`: the image's own, 1000, and the Task API's socket is then open to it.

      resources {
        cpu    = 500
        memory = 512
      }

      template {
        destination = "local/longhaul.yml"
        change_mode = "restart"
        data        = file("deploy/nomad/longhaul.yml")
        # Nothing in it is filled in.
        left_delimiter  = "[[["
        right_delimiter = "]]]"
      }

      # Each task type is a file. One that is changed is a change of the job: `nomad job run` replaces the
      # daemons, one after the other, and tasks go on.
      dynamic "template" {
        for_each = fileset("deploy/nomad/tasks", "*.yml")
        content {
          destination     = "local/tasks/${template.value}"
          change_mode     = "noop"
          data            = file("deploy/nomad/tasks/${template.value}")
          left_delimiter  = "[[["
          right_delimiter = "]]]"
        }
      }

      # The job may read its own variables with no policy.
      dynamic "template" {
        for_each = ["http_token", "postgres_password", "rabbitmq_password"]
        content {
          destination          = "secrets/${template.value}"
          change_mode          = "restart"
          error_on_missing_key = true
          perms                = "400"
          uid                  = 1000
          gid                  = 1000
          data                 = "{{ with nomadVar \"nomad/jobs/longhaul\" }}{{ .${template.value} }}{{ end }}"
        }
      }
    }
  }
}
