-- A phase lies apart from its study, so that a new version of the study does not write it again. What single sites have added to it
-- since lies in rows of its own, by the version that each led to.
CREATE TABLE phases (
    study TEXT NOT NULL PRIMARY KEY REFERENCES studies (name),
    phase TEXT NOT NULL
);
INSERT INTO phases (study, phase) SELECT name, phase FROM studies;
ALTER TABLE studies DROP COLUMN phase;

CREATE TABLE additions (
    study TEXT NOT NULL REFERENCES studies (name),
    version BIGINT NOT NULL,
    addition TEXT NOT NULL,
    PRIMARY KEY (study, version)
);
