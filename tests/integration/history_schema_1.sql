BEGIN TRANSACTION;
CREATE TABLE log (seq INTEGER PRIMARY KEY, event TEXT NOT NULL, trial INTEGER, seconds REAL) STRICT;
INSERT INTO "log" VALUES(1,'ask',0,NULL);
INSERT INTO "log" VALUES(2,'ask',1,NULL);
INSERT INTO "log" VALUES(3,'ask',2,NULL);
INSERT INTO "log" VALUES(4,'ask',3,NULL);
INSERT INTO "log" VALUES(5,'ask',4,NULL);
INSERT INTO "log" VALUES(6,'ask',5,NULL);
INSERT INTO "log" VALUES(7,'ask',6,NULL);
INSERT INTO "log" VALUES(8,'ask',7,NULL);
INSERT INTO "log" VALUES(9,'tell',0,8.26972899994871113449e-03);
INSERT INTO "log" VALUES(10,'tell',1,8.48509499974170466884e-03);
INSERT INTO "log" VALUES(11,'tell',2,0.00898888200026704);
INSERT INTO "log" VALUES(12,'tell',3,9.15192199954617535695e-03);
INSERT INTO "log" VALUES(13,'tell',4,9.586158999809413217e-03);
INSERT INTO "log" VALUES(14,'tell',5,0.00968728999941959);
INSERT INTO "log" VALUES(15,'tell',6,9.83993799945892533287e-03);
INSERT INTO "log" VALUES(16,'tell',7,9.9819639999623177573e-03);
CREATE TABLE meta (key TEXT PRIMARY KEY, value TEXT NOT NULL) STRICT;
INSERT INTO "meta" VALUES('schema','1');
INSERT INTO "meta" VALUES('config','{"schema": 1, "config": null, "space": "grid", "cardinalities": [6, 6, 6, 6, 6, 6], "objectives": ["min error", "min params", "min madds"], "limits": [], "algorithm": "random", "algorithm_settings": {}, "seed": 1, "concurrency": 8, "ordered": true, "fidelity": null, "loop": {"evaluations": 8, "seconds": null, "seed": 1, "concurrency": 8, "ordered": true, "fidelity": null, "max_failures": 0.5}, "versions": {"python": "3.11"}}');
INSERT INTO "meta" VALUES('identity','{"space": "grid", "cardinalities": [6, 6, 6, 6, 6, 6], "objectives": ["min error", "min params", "min madds"], "limits": [], "algorithm": "random", "algorithm_settings": {}, "seed": 1, "concurrency": 8, "ordered": true, "fidelity": null, "evaluations": 8}');
INSERT INTO "meta" VALUES('initial','1');
INSERT INTO "meta" VALUES('objectives','[{"name": "error", "unit": "%", "maximize": false, "cheap": false, "best": 0.0, "reference": null}, {"name": "params", "unit": "parameters", "maximize": false, "cheap": true, "best": 0.0, "reference": null}, {"name": "madds", "unit": "multiply-adds", "maximize": false, "cheap": true, "best": 0.0, "reference": null}]');
INSERT INTO "meta" VALUES('limits','[]');
CREATE TABLE results (
    trial INTEGER PRIMARY KEY REFERENCES trials(id), status TEXT NOT NULL, "values" TEXT NOT NULL,
    seconds REAL NOT NULL, error TEXT NOT NULL, worker TEXT NOT NULL, started REAL NOT NULL, finished REAL NOT NULL
) STRICT;
INSERT INTO "results" VALUES(0,'ok','{"error": 64.93042716167741, "params": 24.0, "madds": 40.0}',2.04003999897395260632e-04,'','host:1',1.79542770477147245401e+09,1.79542770477167654033e+09);
INSERT INTO "results" VALUES(1,'ok','{"error": 42.9975904186107, "params": 28.0, "madds": 58.0}',4.5331999899644870311e-05,'','host:1',1.79542770477196431157e+09,1.79542770477200961114e+09);
INSERT INTO "results" VALUES(2,'failed','{}',4.00522999370878096669e-04,'ValueError: no such layer','host:1',1.79542770477216362956e+09,1.79542770477256417274e+09);
INSERT INTO "results" VALUES(3,'ok','{"error": 55.28535582836409, "params": 27.0, "madds": 74.0}',5.7053000091400463134e-05,'','host:1',1.79542770477266645434e+09,1.79542770477272343628e+09);
INSERT INTO "results" VALUES(4,'ok','{"error": 68.90268579178928, "params": 22.0, "madds": 34.0}',7.96300000729388557374e-05,'','host:1',1.79542770477305960652e+09,1.79542770477313923835e+09);
INSERT INTO "results" VALUES(5,'ok','{"error": 77.88810609607258, "params": 21.0, "madds": 41.0}',2.73400000878609716892e-05,'','host:1',1.79542770477325582499e+09,1.79542770477328324316e+09);
INSERT INTO "results" VALUES(6,'ok','{"error": 62.75590534546161, "params": 24.0, "madds": 44.0}',2.41979996644658967852e-05,'','host:1',1.79542770477335596082e+09,1795427704.77338);
INSERT INTO "results" VALUES(7,'ok','{"error": 84.42137190617218, "params": 20.0, "madds": 46.0}',3.64519992217537946999e-05,'','host:1',1.79542770477352952957e+09,1.79542770477356600764e+09);
CREATE TABLE trials (
    id INTEGER PRIMARY KEY, architecture TEXT NOT NULL, seed INTEGER NOT NULL, budget REAL, asked_at REAL NOT NULL
) STRICT;
INSERT INTO "trials" VALUES(0,'2-3-4-5-0-0',2052358322,NULL,1.79542770476387572283e+09);
INSERT INTO "trials" VALUES(1,'4-5-1-1-5-2',1607784262,NULL,1.79542770476401185994e+09);
INSERT INTO "trials" VALUES(2,'1-4-1-2-3-3',1779595570,NULL,1.79542770476406764981e+09);
INSERT INTO "trials" VALUES(3,'0-0-5-4-5-3',1750010135,NULL,1.79542770476412129397e+09);
INSERT INTO "trials" VALUES(4,'4-1-2-4-0-1',612328819,NULL,1.79542770476416873931e+09);
INSERT INTO "trials" VALUES(5,'0-2-5-0-2-2',454173143,NULL,1.7954277047642214298e+09);
INSERT INTO "trials" VALUES(6,'5-1-3-1-0-4',84512494,NULL,1.7954277047642812729e+09);
INSERT INTO "trials" VALUES(7,'0-1-2-2-0-5',1796386333,NULL,1.7954277047643988133e+09);
COMMIT;
