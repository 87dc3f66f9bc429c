-- Access: teams, invitations, policies, second factors, tokens, signing keys, secrets, audit.

-- Whatever changes who may see what in an organization raises `access_version` (triggers below),
-- so that what is kept in memory about it is never older than the database.
ALTER TABLE organizations ADD COLUMN access_version INTEGER NOT NULL DEFAULT 1;
-- 1: every member sees every project. 0: members, viewers and admins see their teams' projects.
ALTER TABLE organizations ADD COLUMN is_open INTEGER NOT NULL DEFAULT 1;
ALTER TABLE organizations ADD COLUMN join_domains TEXT NOT NULL DEFAULT '[]';
ALTER TABLE organizations ADD COLUMN join_role TEXT NOT NULL DEFAULT 'member';
-- Who must have a second factor: nobody, owners, managers and admins, or everyone.
ALTER TABLE organizations ADD COLUMN second_factor TEXT NOT NULL DEFAULT 'optional'
    CHECK (second_factor IN ('optional', 'admins', 'everyone'));
-- JSON lists of addresses and ranges; an empty one lets every address in.
ALTER TABLE organizations ADD COLUMN ip_ranges TEXT NOT NULL DEFAULT '[]';
ALTER TABLE organizations ADD COLUMN admin_ip_ranges TEXT NOT NULL DEFAULT '[]';
ALTER TABLE organizations ADD COLUMN audit_days INTEGER NOT NULL DEFAULT 365;

-- May change what is the server's and not an organization's: mail, signing keys, secrets.
ALTER TABLE users ADD COLUMN is_server_admin INTEGER NOT NULL DEFAULT 0;
ALTER TABLE users ADD COLUMN password_at INTEGER;

CREATE TABLE teams (
    id              INTEGER PRIMARY KEY AUTOINCREMENT,
    organization_id INTEGER NOT NULL REFERENCES organizations (id) ON DELETE CASCADE,
    slug            TEXT NOT NULL,
    name            TEXT NOT NULL,
    created_at      INTEGER NOT NULL,
    UNIQUE (organization_id, slug)
) STRICT;

CREATE TABLE team_members (
    team_id    INTEGER NOT NULL REFERENCES teams (id) ON DELETE CASCADE,
    user_id    INTEGER NOT NULL REFERENCES users (id) ON DELETE CASCADE,
    role       TEXT NOT NULL DEFAULT 'contributor' CHECK (role IN ('lead', 'contributor')),
    created_at INTEGER NOT NULL,
    PRIMARY KEY (team_id, user_id)
) STRICT, WITHOUT ROWID;
CREATE INDEX team_members_user ON team_members (user_id);

CREATE TABLE team_projects (
    team_id    INTEGER NOT NULL REFERENCES teams (id) ON DELETE CASCADE,
    project_id INTEGER NOT NULL REFERENCES projects (id) ON DELETE CASCADE,
    PRIMARY KEY (team_id, project_id)
) STRICT, WITHOUT ROWID;
CREATE INDEX team_projects_project ON team_projects (project_id);

CREATE INDEX members_user ON members (user_id);

-- A pending member: no row in `members`, so no access, until the link is used.
CREATE TABLE invitations (
    id              INTEGER PRIMARY KEY AUTOINCREMENT,
    organization_id INTEGER NOT NULL REFERENCES organizations (id) ON DELETE CASCADE,
    email           TEXT NOT NULL COLLATE NOCASE,
    role            TEXT NOT NULL CHECK (role IN ('owner', 'manager', 'admin', 'member', 'viewer')),
    team_ids        TEXT NOT NULL DEFAULT '[]',
    token_hash      TEXT NOT NULL UNIQUE,
    invited_by      INTEGER REFERENCES users (id) ON DELETE SET NULL,
    created_at      INTEGER NOT NULL,
    expires_at      INTEGER NOT NULL,
    accepted_at     INTEGER,
    revoked_at      INTEGER
) STRICT;
CREATE INDEX invitations_organization ON invitations (organization_id, created_at);

-- Links sent by mail or handed over by an administrator: choose a password, join by domain.
CREATE TABLE account_links (
    token_hash      TEXT PRIMARY KEY,
    kind            TEXT NOT NULL CHECK (kind IN ('password', 'join')),
    user_id         INTEGER REFERENCES users (id) ON DELETE CASCADE,
    organization_id INTEGER REFERENCES organizations (id) ON DELETE CASCADE,
    email           TEXT NOT NULL DEFAULT '',
    created_by      INTEGER REFERENCES users (id) ON DELETE SET NULL,
    created_at      INTEGER NOT NULL,
    expires_at      INTEGER NOT NULL,
    used_at         INTEGER
) STRICT, WITHOUT ROWID;

-- Logins ------------------------------------------------------------------------------------------

-- When the password or second factor was last shown: dangerous actions ask again after a while.
ALTER TABLE logins ADD COLUMN confirmed_at INTEGER NOT NULL DEFAULT 0;
-- When a second factor was shown in this login (or its device was remembered); NULL if never.
ALTER TABLE logins ADD COLUMN second_factor_at INTEGER;
CREATE INDEX logins_user ON logins (user_id);

-- A password was right and a second factor is still to come. Its cookie opens nothing else.
CREATE TABLE login_challenges (
    token_hash TEXT PRIMARY KEY,
    user_id    INTEGER NOT NULL REFERENCES users (id) ON DELETE CASCADE,
    next       TEXT NOT NULL DEFAULT '/',
    challenge  BLOB,
    tries      INTEGER NOT NULL DEFAULT 0,
    created_at INTEGER NOT NULL,
    expires_at INTEGER NOT NULL
) STRICT, WITHOUT ROWID;

-- Secrets -----------------------------------------------------------------------------------------

-- Every secret that must be read again, encrypted under the master key `key_id`.
CREATE TABLE secrets (
    id         INTEGER PRIMARY KEY AUTOINCREMENT,
    kind       TEXT NOT NULL,
    sealed     BLOB NOT NULL,
    key_id     TEXT NOT NULL,
    created_at INTEGER NOT NULL,
    sealed_at  INTEGER NOT NULL
) STRICT;

CREATE TABLE second_factors (
    id            INTEGER PRIMARY KEY AUTOINCREMENT,
    user_id       INTEGER NOT NULL REFERENCES users (id) ON DELETE CASCADE,
    kind          TEXT NOT NULL CHECK (kind IN ('totp', 'passkey')),
    name          TEXT NOT NULL DEFAULT '',
    secret_id     INTEGER REFERENCES secrets (id),
    credential_id BLOB UNIQUE,
    public_key    BLOB,
    sign_count    INTEGER NOT NULL DEFAULT 0,
    -- The last time step whose code was used: no code counts twice.
    last_step     INTEGER NOT NULL DEFAULT 0,
    created_at    INTEGER NOT NULL,
    used_at       INTEGER
) STRICT;
CREATE INDEX second_factors_user ON second_factors (user_id);

CREATE TABLE recovery_codes (
    user_id    INTEGER NOT NULL REFERENCES users (id) ON DELETE CASCADE,
    code_hash  TEXT NOT NULL,
    created_at INTEGER NOT NULL,
    used_at    INTEGER,
    PRIMARY KEY (user_id, code_hash)
) STRICT, WITHOUT ROWID;

CREATE TABLE remembered_devices (
    token_hash TEXT PRIMARY KEY,
    user_id    INTEGER NOT NULL REFERENCES users (id) ON DELETE CASCADE,
    address    TEXT NOT NULL DEFAULT '',
    user_agent TEXT NOT NULL DEFAULT '',
    created_at INTEGER NOT NULL,
    used_at    INTEGER NOT NULL,
    expires_at INTEGER NOT NULL
) STRICT, WITHOUT ROWID;
CREATE INDEX remembered_devices_user ON remembered_devices (user_id);

-- Tokens ------------------------------------------------------------------------------------------

-- Signs from `created_at`; verifies until `retires_at`, which the next rotation sets.
CREATE TABLE signing_keys (
    kid        TEXT PRIMARY KEY,
    secret_id  INTEGER NOT NULL REFERENCES secrets (id),
    public_key TEXT NOT NULL,
    created_at INTEGER NOT NULL,
    retires_at INTEGER
) STRICT, WITHOUT ROWID;

DROP TABLE tokens;
-- JSON Web Tokens that were handed out; `jti` is in the token, nothing of its signature is here.
CREATE TABLE tokens (
    id              INTEGER PRIMARY KEY AUTOINCREMENT,
    jti             TEXT NOT NULL UNIQUE,
    kid             TEXT NOT NULL,
    kind            TEXT NOT NULL CHECK (kind IN ('personal', 'organization')),
    -- Whose it is; for an organization's token, who made it.
    user_id         INTEGER REFERENCES users (id) ON DELETE SET NULL,
    organization_id INTEGER NOT NULL REFERENCES organizations (id) ON DELETE CASCADE,
    name            TEXT NOT NULL DEFAULT '',
    scopes          TEXT NOT NULL,
    -- JSON list of project ids, or NULL for every project in reach.
    project_ids     TEXT,
    created_at      INTEGER NOT NULL,
    expires_at      INTEGER,
    used_at         INTEGER,
    used_address    TEXT NOT NULL DEFAULT '',
    -- Set by a rotation: the old token ends here, `replaced_by` is the new one.
    ends_at         INTEGER,
    replaced_by     INTEGER REFERENCES tokens (id) ON DELETE SET NULL,
    revoked_at      INTEGER
) STRICT;
CREATE INDEX tokens_user ON tokens (user_id);
CREATE INDEX tokens_organization ON tokens (organization_id);

ALTER TABLE project_keys ADD COLUMN rate_limit INTEGER;
ALTER TABLE project_keys ADD COLUMN rate_window_s INTEGER;

-- Policies ----------------------------------------------------------------------------------------

CREATE TABLE policies (
    id              INTEGER PRIMARY KEY AUTOINCREMENT,
    organization_id INTEGER NOT NULL REFERENCES organizations (id) ON DELETE CASCADE,
    name            TEXT NOT NULL,
    effect          TEXT NOT NULL CHECK (effect IN ('deny', 'require')),
    -- JSON objects: whom and what the policy is about, and for `require` what must hold.
    conditions      TEXT NOT NULL DEFAULT '{}',
    requirements    TEXT NOT NULL DEFAULT '{}',
    is_active       INTEGER NOT NULL DEFAULT 1,
    created_at      INTEGER NOT NULL,
    changed_at      INTEGER NOT NULL
) STRICT;
CREATE INDEX policies_organization ON policies (organization_id);

-- Mail --------------------------------------------------------------------------------------------

CREATE TABLE mail_settings (
    id          INTEGER PRIMARY KEY CHECK (id = 1),
    host        TEXT NOT NULL,
    port        INTEGER NOT NULL,
    security    TEXT NOT NULL CHECK (security IN ('none', 'starttls', 'tls')),
    username    TEXT NOT NULL DEFAULT '',
    secret_id   INTEGER REFERENCES secrets (id),
    sender      TEXT NOT NULL,
    changed_at  INTEGER NOT NULL
) STRICT;

-- Audit -------------------------------------------------------------------------------------------

-- Append-only. `hash` is over the entry and the hash of the one before it.
CREATE TABLE audit (
    id              INTEGER PRIMARY KEY AUTOINCREMENT,
    at              INTEGER NOT NULL,
    organization_id INTEGER,
    project_id      INTEGER,
    -- user, token, cli, task or anonymous; then who exactly.
    actor_kind      TEXT NOT NULL,
    actor_id        INTEGER,
    actor           TEXT NOT NULL DEFAULT '',
    token_id        INTEGER,
    address         TEXT NOT NULL DEFAULT '',
    device          TEXT NOT NULL DEFAULT '',
    action          TEXT NOT NULL,
    object_type     TEXT NOT NULL,
    object_id       TEXT NOT NULL DEFAULT '',
    object          TEXT NOT NULL DEFAULT '',
    before          TEXT,
    after           TEXT,
    hash            BLOB NOT NULL
) STRICT;
CREATE INDEX audit_organization ON audit (organization_id, id);
CREATE INDEX audit_at ON audit (at);
CREATE TRIGGER audit_is_append_only BEFORE UPDATE ON audit
BEGIN
    SELECT raise(ABORT, 'audit entries are never changed');
END;
-- Retention removes entries from the beginning; what follows is verified from this anchor on.
CREATE TABLE audit_anchor (
    id       INTEGER PRIMARY KEY CHECK (id = 1),
    audit_id INTEGER NOT NULL,
    hash     BLOB NOT NULL
) STRICT;
INSERT INTO audit_anchor (id, audit_id, hash) VALUES (1, 0, x'');
CREATE TRIGGER audit_is_pruned_from_the_start BEFORE DELETE ON audit
WHEN old.id > (SELECT audit_id FROM audit_anchor)
BEGIN
    SELECT raise(ABORT, 'audit entries are never deleted one by one');
END;

-- access_version ----------------------------------------------------------------------------------

CREATE TRIGGER access_projects_i AFTER INSERT ON projects BEGIN
    UPDATE organizations SET access_version = access_version + 1 WHERE id = new.organization_id;
END;
CREATE TRIGGER access_projects_u AFTER UPDATE OF slug, name, platform, deleted_at ON projects BEGIN
    UPDATE organizations SET access_version = access_version + 1 WHERE id = new.organization_id;
END;
CREATE TRIGGER access_projects_d AFTER DELETE ON projects BEGIN
    UPDATE organizations SET access_version = access_version + 1 WHERE id = old.organization_id;
END;
CREATE TRIGGER access_teams_i AFTER INSERT ON teams BEGIN
    UPDATE organizations SET access_version = access_version + 1 WHERE id = new.organization_id;
END;
CREATE TRIGGER access_teams_u AFTER UPDATE ON teams BEGIN
    UPDATE organizations SET access_version = access_version + 1 WHERE id = new.organization_id;
END;
CREATE TRIGGER access_teams_d BEFORE DELETE ON teams BEGIN
    UPDATE organizations SET access_version = access_version + 1 WHERE id = old.organization_id;
END;
CREATE TRIGGER access_team_projects_i AFTER INSERT ON team_projects BEGIN
    UPDATE organizations SET access_version = access_version + 1
    WHERE id = (SELECT organization_id FROM teams WHERE id = new.team_id);
END;
CREATE TRIGGER access_team_projects_d AFTER DELETE ON team_projects BEGIN
    UPDATE organizations SET access_version = access_version + 1
    WHERE id = (SELECT organization_id FROM teams WHERE id = old.team_id);
END;
CREATE TRIGGER access_policies_i AFTER INSERT ON policies BEGIN
    UPDATE organizations SET access_version = access_version + 1 WHERE id = new.organization_id;
END;
CREATE TRIGGER access_policies_u AFTER UPDATE ON policies BEGIN
    UPDATE organizations SET access_version = access_version + 1 WHERE id = new.organization_id;
END;
CREATE TRIGGER access_policies_d AFTER DELETE ON policies BEGIN
    UPDATE organizations SET access_version = access_version + 1 WHERE id = old.organization_id;
END;
CREATE TRIGGER access_organizations_u
AFTER UPDATE OF slug, is_open, second_factor, ip_ranges, admin_ip_ranges ON organizations BEGIN
    UPDATE organizations SET access_version = access_version + 1 WHERE id = new.id;
END;

-- The end of the audit log ------------------------------------------------------------------------

-- The newest entry, sealed with a key that is not in the database (see kit/chain.py).
CREATE TABLE audit_head (
    id       INTEGER PRIMARY KEY CHECK (id = 1),
    audit_id INTEGER NOT NULL,
    hash     BLOB NOT NULL,
    seal     BLOB NOT NULL
) STRICT;
INSERT INTO audit_head (id, audit_id, hash, seal) VALUES (1, 0, x'', x'');
-- For the filters of the audit page.
CREATE INDEX audit_action ON audit (organization_id, action, id);
CREATE INDEX audit_object_type ON audit (organization_id, object_type, id);

-- An id that is used again after its organization is gone must not meet what is remembered of that
-- one: versions of a new organization begin after every earlier one's.
CREATE TRIGGER access_organizations_i AFTER INSERT ON organizations BEGIN
    UPDATE organizations
    SET access_version = CAST(unixepoch('subsec') * 1000 AS INTEGER)
    WHERE id = new.id;
END;

-- INSERT OR REPLACE fires no trigger for what it replaces.
CREATE TRIGGER audit_is_never_replaced BEFORE INSERT ON audit
WHEN EXISTS (SELECT 1 FROM audit WHERE id = new.id)
BEGIN
    SELECT raise(ABORT, 'audit entries are never replaced');
END;
