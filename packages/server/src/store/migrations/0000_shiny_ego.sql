CREATE TABLE "accounts" (
	"id" uuid PRIMARY KEY NOT NULL,
	"account_id" text NOT NULL,
	"provider_id" text NOT NULL,
	"user_id" uuid NOT NULL,
	"access_token" text,
	"refresh_token" text,
	"id_token" text,
	"access_token_expires_at" timestamp with time zone,
	"refresh_token_expires_at" timestamp with time zone,
	"scope" text,
	"password" text,
	"created_at" timestamp with time zone DEFAULT now() NOT NULL,
	"updated_at" timestamp with time zone DEFAULT now() NOT NULL
);
--> statement-breakpoint
CREATE TABLE "api_keys" (
	"id" uuid PRIMARY KEY NOT NULL,
	"user_id" uuid NOT NULL,
	"name" text NOT NULL,
	"kind" text NOT NULL,
	"gateway_id" uuid,
	"hash" text NOT NULL,
	"prefix" text NOT NULL,
	"created_at" timestamp with time zone DEFAULT now() NOT NULL,
	"last_used_at" timestamp with time zone,
	"expires_at" timestamp with time zone,
	"revoked_at" timestamp with time zone,
	CONSTRAINT "api_keys_hash_unique" UNIQUE("hash"),
	CONSTRAINT "api_keys_kind" CHECK (("api_keys"."kind" = 'gateway') = ("api_keys"."gateway_id" is not null))
);
--> statement-breakpoint
CREATE TABLE "auth_sessions" (
	"id" uuid PRIMARY KEY NOT NULL,
	"token" text NOT NULL,
	"user_id" uuid NOT NULL,
	"expires_at" timestamp with time zone NOT NULL,
	"ip_address" text,
	"user_agent" text,
	"created_at" timestamp with time zone DEFAULT now() NOT NULL,
	"updated_at" timestamp with time zone DEFAULT now() NOT NULL,
	CONSTRAINT "auth_sessions_token_unique" UNIQUE("token")
);
--> statement-breakpoint
CREATE TABLE "calls" (
	"id" uuid PRIMARY KEY NOT NULL,
	"ordinal" bigint GENERATED ALWAYS AS IDENTITY (sequence name "calls_ordinal_seq" INCREMENT BY 1 MINVALUE 1 MAXVALUE 9223372036854775807 START WITH 1 CACHE 1),
	"session_id" uuid NOT NULL,
	"message_id" uuid NOT NULL,
	"tool" text NOT NULL,
	"kind" text NOT NULL,
	"effect" text NOT NULL,
	"input" json,
	"input_hash" text NOT NULL,
	"state" text NOT NULL,
	"gateway_id" uuid,
	"workspace" text,
	"decision" json,
	"result" json,
	"created_at" timestamp with time zone NOT NULL,
	"started_at" timestamp with time zone,
	"finished_at" timestamp with time zone,
	"dispatch_attempt" integer,
	"dispatch_instance_id" uuid,
	"dispatch_stop_generation" integer,
	"dispatched_at" timestamp with time zone,
	"cancel_requested_at" timestamp with time zone,
	"metadata" json,
	CONSTRAINT "calls_dispatch_whole" CHECK (num_nulls("calls"."dispatch_attempt", "calls"."dispatch_instance_id", "calls"."dispatch_stop_generation", "calls"."dispatched_at") in (0, 4))
);
--> statement-breakpoint
CREATE TABLE "gateways" (
	"id" uuid PRIMARY KEY NOT NULL,
	"owner_id" uuid NOT NULL,
	"name" text NOT NULL,
	"platform" text NOT NULL,
	"workspaces" json NOT NULL,
	"tools" json NOT NULL,
	"instance_id" uuid NOT NULL,
	"last_seen_at" timestamp with time zone NOT NULL
);
--> statement-breakpoint
CREATE TABLE "messages" (
	"id" uuid PRIMARY KEY NOT NULL,
	"session_id" uuid NOT NULL,
	"seq" integer NOT NULL,
	"role" text NOT NULL,
	"state" text NOT NULL,
	"parts" json NOT NULL,
	"model" text,
	"usage" json,
	"created_at" timestamp with time zone NOT NULL,
	"accepted_seq" integer NOT NULL,
	"was_queued" boolean NOT NULL,
	"queue_rank" integer NOT NULL,
	CONSTRAINT "messages_in_order" UNIQUE("session_id","seq"),
	CONSTRAINT "messages_of_session" UNIQUE("session_id","id")
);
--> statement-breakpoint
CREATE TABLE "permission_rules" (
	"id" uuid PRIMARY KEY NOT NULL,
	"owner_id" uuid NOT NULL,
	"tool" text NOT NULL,
	"subject" text NOT NULL,
	"workspace" text,
	"gateway_id" uuid,
	"session_id" uuid,
	"created_at" timestamp with time zone NOT NULL,
	"last_used_at" timestamp with time zone
);
--> statement-breakpoint
CREATE TABLE "session_events" (
	"session_id" uuid NOT NULL,
	"seq" integer NOT NULL,
	"at" timestamp with time zone NOT NULL,
	"type" text NOT NULL,
	"data" json NOT NULL,
	CONSTRAINT "session_events_session_id_seq_pk" PRIMARY KEY("session_id","seq")
);
--> statement-breakpoint
CREATE TABLE "sessions" (
	"id" uuid PRIMARY KEY NOT NULL,
	"owner_id" uuid NOT NULL,
	"title" text NOT NULL,
	"model" text NOT NULL,
	"gateway_id" uuid,
	"workspace" text,
	"archived" boolean NOT NULL,
	"created_at" timestamp with time zone NOT NULL,
	"updated_at" timestamp with time zone NOT NULL,
	"seq" integer NOT NULL,
	"stop_generation" integer NOT NULL,
	"held" boolean NOT NULL,
	"turn_message_id" uuid,
	"turn_epoch" integer,
	"turn_started_at" timestamp with time zone,
	"turn_partial" json,
	"steps" integer NOT NULL,
	"last_error" json,
	"usage" json NOT NULL,
	"status" text NOT NULL,
	"waiting_approvals" integer NOT NULL,
	"waiting_answers" integer NOT NULL,
	"stopping" boolean NOT NULL,
	"queue_length" integer NOT NULL,
	"version" integer DEFAULT 0 NOT NULL,
	"owes" boolean NOT NULL,
	"lease_node" text,
	"lease_epoch" integer DEFAULT 0 NOT NULL,
	"lease_expires_at" timestamp with time zone,
	CONSTRAINT "sessions_status_is_of_the_turn" CHECK (("sessions"."status" = 'running') = ("sessions"."turn_message_id" is not null)),
	CONSTRAINT "sessions_running_owes" CHECK ("sessions"."status" <> 'running' or "sessions"."owes"),
	CONSTRAINT "sessions_turn_whole" CHECK (num_nulls("sessions"."turn_message_id", "sessions"."turn_epoch", "sessions"."turn_started_at") in (0, 3)),
	CONSTRAINT "sessions_lease_whole" CHECK (("sessions"."lease_node" is null) = ("sessions"."lease_expires_at" is null))
);
--> statement-breakpoint
CREATE TABLE "sign_in_links" (
	"hash" text PRIMARY KEY NOT NULL,
	"user_id" uuid NOT NULL,
	"expires_at" timestamp with time zone NOT NULL,
	"used_at" timestamp with time zone
);
--> statement-breakpoint
CREATE TABLE "users" (
	"id" uuid PRIMARY KEY NOT NULL,
	"name" text NOT NULL,
	"email" text NOT NULL,
	"email_verified" boolean DEFAULT false NOT NULL,
	"image" text,
	"role" text DEFAULT 'user' NOT NULL,
	"created_at" timestamp with time zone DEFAULT now() NOT NULL,
	"updated_at" timestamp with time zone DEFAULT now() NOT NULL,
	CONSTRAINT "users_email_unique" UNIQUE("email"),
	CONSTRAINT "users_role" CHECK ("users"."role" in ('owner', 'user'))
);
--> statement-breakpoint
CREATE TABLE "verifications" (
	"id" uuid PRIMARY KEY NOT NULL,
	"identifier" text NOT NULL,
	"value" text NOT NULL,
	"expires_at" timestamp with time zone NOT NULL,
	"created_at" timestamp with time zone DEFAULT now() NOT NULL,
	"updated_at" timestamp with time zone DEFAULT now() NOT NULL
);
--> statement-breakpoint
ALTER TABLE "accounts" ADD CONSTRAINT "accounts_user_id_users_id_fk" FOREIGN KEY ("user_id") REFERENCES "public"."users"("id") ON DELETE cascade ON UPDATE no action;--> statement-breakpoint
ALTER TABLE "api_keys" ADD CONSTRAINT "api_keys_user_id_users_id_fk" FOREIGN KEY ("user_id") REFERENCES "public"."users"("id") ON DELETE cascade ON UPDATE no action;--> statement-breakpoint
ALTER TABLE "auth_sessions" ADD CONSTRAINT "auth_sessions_user_id_users_id_fk" FOREIGN KEY ("user_id") REFERENCES "public"."users"("id") ON DELETE cascade ON UPDATE no action;--> statement-breakpoint
ALTER TABLE "calls" ADD CONSTRAINT "calls_message" FOREIGN KEY ("session_id","message_id") REFERENCES "public"."messages"("session_id","id") ON DELETE cascade ON UPDATE no action;--> statement-breakpoint
ALTER TABLE "gateways" ADD CONSTRAINT "gateways_owner_id_users_id_fk" FOREIGN KEY ("owner_id") REFERENCES "public"."users"("id") ON DELETE cascade ON UPDATE no action;--> statement-breakpoint
ALTER TABLE "messages" ADD CONSTRAINT "messages_session_id_sessions_id_fk" FOREIGN KEY ("session_id") REFERENCES "public"."sessions"("id") ON DELETE cascade ON UPDATE no action;--> statement-breakpoint
ALTER TABLE "permission_rules" ADD CONSTRAINT "permission_rules_owner_id_users_id_fk" FOREIGN KEY ("owner_id") REFERENCES "public"."users"("id") ON DELETE cascade ON UPDATE no action;--> statement-breakpoint
ALTER TABLE "permission_rules" ADD CONSTRAINT "permission_rules_session_id_sessions_id_fk" FOREIGN KEY ("session_id") REFERENCES "public"."sessions"("id") ON DELETE cascade ON UPDATE no action;--> statement-breakpoint
ALTER TABLE "session_events" ADD CONSTRAINT "session_events_session_id_sessions_id_fk" FOREIGN KEY ("session_id") REFERENCES "public"."sessions"("id") ON DELETE cascade ON UPDATE no action;--> statement-breakpoint
ALTER TABLE "sessions" ADD CONSTRAINT "sessions_owner_id_users_id_fk" FOREIGN KEY ("owner_id") REFERENCES "public"."users"("id") ON DELETE cascade ON UPDATE no action;--> statement-breakpoint
ALTER TABLE "sign_in_links" ADD CONSTRAINT "sign_in_links_user_id_users_id_fk" FOREIGN KEY ("user_id") REFERENCES "public"."users"("id") ON DELETE cascade ON UPDATE no action;--> statement-breakpoint
CREATE INDEX "accounts_user" ON "accounts" USING btree ("user_id");--> statement-breakpoint
CREATE UNIQUE INDEX "accounts_provider_account" ON "accounts" USING btree ("provider_id","account_id");--> statement-breakpoint
CREATE INDEX "api_keys_user" ON "api_keys" USING btree ("user_id");--> statement-breakpoint
CREATE INDEX "auth_sessions_user" ON "auth_sessions" USING btree ("user_id");--> statement-breakpoint
CREATE INDEX "calls_of_message" ON "calls" USING btree ("session_id","message_id");--> statement-breakpoint
CREATE INDEX "calls_open" ON "calls" USING btree ("session_id") WHERE state in ('awaiting_approval', 'awaiting_answer', 'queued', 'running');--> statement-breakpoint
CREATE INDEX "calls_open_of_gateway" ON "calls" USING btree ("gateway_id") WHERE state in ('awaiting_approval', 'awaiting_answer', 'queued', 'running');--> statement-breakpoint
CREATE INDEX "gateways_owner" ON "gateways" USING btree ("owner_id");--> statement-breakpoint
CREATE INDEX "messages_queued" ON "messages" USING btree ("session_id","queue_rank") WHERE "messages"."state" = 'queued';--> statement-breakpoint
CREATE INDEX "permission_rules_owner" ON "permission_rules" USING btree ("owner_id");--> statement-breakpoint
CREATE INDEX "permission_rules_session" ON "permission_rules" USING btree ("session_id");--> statement-breakpoint
CREATE INDEX "sessions_list" ON "sessions" USING btree ("owner_id","updated_at","id");--> statement-breakpoint
CREATE INDEX "sessions_owed" ON "sessions" USING btree ("updated_at") WHERE "sessions"."owes";--> statement-breakpoint
CREATE INDEX "sessions_leased" ON "sessions" USING btree ("lease_node") WHERE "sessions"."lease_node" is not null;--> statement-breakpoint
CREATE INDEX "sign_in_links_expiry" ON "sign_in_links" USING btree ("expires_at");--> statement-breakpoint
CREATE INDEX "verifications_identifier" ON "verifications" USING btree ("identifier");