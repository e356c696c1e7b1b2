ALTER TABLE "calls" ADD COLUMN "definition" text;--> statement-breakpoint
ALTER TABLE "permission_rules" ADD COLUMN "definition" text;