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
INSERT INTO "log" VALUES(9,'tell',0,3.09404337699743336997e+00);
INSERT INTO "log" VALUES(10,'ask',8,NULL);
INSERT INTO "log" VALUES(11,'tell',1,10.6589013399971);
INSERT INTO "log" VALUES(12,'ask',9,NULL);
INSERT INTO "log" VALUES(13,'tell',2,1.27548919199980446135e+01);
INSERT INTO "log" VALUES(14,'ask',10,NULL);
INSERT INTO "log" VALUES(15,'tell',3,1.45624842649995116521e+01);
INSERT INTO "log" VALUES(16,'ask',11,NULL);
INSERT INTO "log" VALUES(17,'tell',4,1.61922952019995136652e+01);
INSERT INTO "log" VALUES(18,'tell',5,1.9125026839999918593e+01);
INSERT INTO "log" VALUES(19,'tell',6,2.08125624399981461469e+01);
INSERT INTO "log" VALUES(20,'tell',7,2.35050205499974254044e+01);
INSERT INTO "log" VALUES(21,'tell',8,2.51044654099969193343e+01);
INSERT INTO "log" VALUES(22,'tell',9,2.85829101549970800979e+01);
INSERT INTO "log" VALUES(23,'tell',10,3.04110584390000440171e+01);
INSERT INTO "log" VALUES(24,'tell',11,3.27338412829994922508e+01);
CREATE TABLE meta (key TEXT PRIMARY KEY, value TEXT NOT NULL) STRICT;
INSERT INTO "meta" VALUES('schema','2');
INSERT INTO "meta" VALUES('config','{"schema": 1, "config": {"search": {"space": {"name": "muxnet-tiny"}, "objectives": [{"name": "error", "function": null, "unit": null, "maximize": null, "cheap": null, "best": null, "reference": null, "settings": null}, {"name": "params", "function": null, "unit": null, "maximize": null, "cheap": null, "best": null, "reference": null, "settings": null}, {"name": "madds", "function": null, "unit": null, "maximize": null, "cheap": null, "best": null, "reference": null, "settings": null}], "limits": [], "algorithm": {"name": "sa-moead"}, "evaluator": {"name": "training", "data": "digits", "recipe": {"epochs": 1}}, "executor": {"name": "serial"}, "budget": {"evaluations": 12, "seconds": null}, "fidelity": null, "halving": null, "keep_weights": true, "warm_start": null, "seed": 0, "concurrency": 8, "ordered": true, "max_failures": 0.5, "callbacks": [], "out": "run010"}, "base": "/home/you"}, "space": "muxnet-tiny", "cardinalities": [3, 3, 2, 4, 4, 3, 3, 2, 2, 3, 4, 5, 3, 5, 3, 3, 2, 2, 3, 4, 5, 3, 5, 3, 3, 3, 2, 3, 4, 5, 3, 4], "objectives": ["min error", "min params", "min madds"], "limits": [], "algorithm": "sa-moead", "algorithm_settings": {"initial": 4, "surrogate": "auto", "whole_space": 20000, "pool": 1000, "growth": 0.05, "reference": 0.1, "prefer": "", "repeats": 0.0}, "seed": 0, "concurrency": 8, "ordered": true, "fidelity": null, "halving": null, "warm_start": null, "loop": {"evaluations": 12, "seconds": null, "seed": 0, "concurrency": 8, "ordered": true, "fidelity": null, "halving": null, "max_failures": 0.5}, "versions": {"python": "3.11.7", "multiobjective-nas": "0.1.0", "numpy": "2.4.6", "pandas": "3.1.1", "torch": "2.13.0+cpu", "ray": "2.60.0", "pymoo": "0.6.2", "moocore": "0.3.2", "scikit-learn": "1.9.1", "scipy": "1.17.1"}}');
INSERT INTO "meta" VALUES('identity','{"space": "muxnet-tiny", "cardinalities": [3, 3, 2, 4, 4, 3, 3, 2, 2, 3, 4, 5, 3, 5, 3, 3, 2, 2, 3, 4, 5, 3, 5, 3, 3, 3, 2, 3, 4, 5, 3, 4], "objectives": ["min error", "min params", "min madds"], "limits": [], "algorithm": "sa-moead", "algorithm_settings": {"initial": 4, "surrogate": "auto", "whole_space": 20000, "pool": 1000, "growth": 0.05, "reference": 0.1, "prefer": "", "repeats": 0.0}, "seed": 0, "concurrency": 8, "ordered": true, "fidelity": null, "halving": null, "warm_start": null, "evaluations": 12}');
INSERT INTO "meta" VALUES('initial','4');
INSERT INTO "meta" VALUES('objectives','[{"name": "error", "unit": "%", "maximize": false, "cheap": false, "best": 0.0, "reference": null}, {"name": "params", "unit": "parameters", "maximize": false, "cheap": true, "best": 0.0, "reference": null}, {"name": "madds", "unit": "multiply-adds", "maximize": false, "cheap": true, "best": 0.0, "reference": null}]');
INSERT INTO "meta" VALUES('limits','[]');
INSERT INTO "meta" VALUES('warm_start','null');
CREATE TABLE notes (
    told INTEGER NOT NULL, kind TEXT NOT NULL, objective TEXT NOT NULL, "values" TEXT NOT NULL,
    PRIMARY KEY (told, kind, objective)
) STRICT;
CREATE TABLE results (
    trial INTEGER PRIMARY KEY REFERENCES trials(id), status TEXT NOT NULL, "values" TEXT NOT NULL,
    seconds REAL NOT NULL, error TEXT NOT NULL, worker TEXT NOT NULL, started REAL NOT NULL, finished REAL NOT NULL
) STRICT;
INSERT INTO "results" VALUES(0,'ok','{"error": 77.7158774373259, "accuracy": 22.2841225626741, "loss": 2.232502291793611, "top5_error": 32.86908077994429, "train_loss": 2.2474367499130334, "epochs": 1.0, "trained_epochs": 1.0, "train_seconds": 2.889218382002582, "params": 1066.0, "madds": 28064.0}',2.92337453099753474816e+00,'','machine:1',1.79604003845205426213e+09,1.79604004137542867663e+09);
INSERT INTO "results" VALUES(1,'ok','{"error": 83.008356545961, "accuracy": 16.991643454038993, "loss": 2.4419081323990253, "top5_error": 28.133704735376046, "train_loss": 0.808267625231911, "epochs": 1.0, "trained_epochs": 1.0, "train_seconds": 6.782911493999563, "params": 259094.0, "madds": 6865664.0}',7.54965333400105,'','machine:1',1.79604004138212561608e+09,1.7960400489317789078e+09);
INSERT INTO "results" VALUES(2,'ok','{"error": 77.7158774373259, "accuracy": 22.2841225626741, "loss": 1.9516625364510793, "top5_error": 9.470752089136491, "train_loss": 1.0108119419642858, "epochs": 1.0, "trained_epochs": 1.0, "train_seconds": 1.9644485220014758, "params": 56372.0, "madds": 573416.0}',2.08729460599715821444e+00,'','machine:1',1.79604004894909286505e+09,1.79604005103638744355e+09);
INSERT INTO "results" VALUES(3,'ok','{"error": 78.83008356545962, "accuracy": 21.169916434540383, "loss": 2.21564264749086, "top5_error": 37.883008356545965, "train_loss": 1.8499445587894248, "epochs": 1.0, "trained_epochs": 1.0, "train_seconds": 1.7290571489975264, "params": 18394.0, "madds": 328600.0}',1.80005655399872921407e+00,'','machine:1',1796040051.03958,1.79604005283963656432e+09);
INSERT INTO "results" VALUES(4,'ok','{"error": 77.99442896935933, "accuracy": 22.005571030640667, "loss": 2.063791769128656, "top5_error": 22.284122562674096, "train_loss": 1.551632005341199, "epochs": 1.0, "trained_epochs": 1.0, "train_seconds": 1.5386046460007492, "params": 16316.0, "madds": 346200.0}',1.62524077600028249435e+00,'','machine:1',1.79604005284863209724e+09,1.79604005447387289999e+09);
INSERT INTO "results" VALUES(5,'ok','{"error": 82.17270194986072, "accuracy": 17.827298050139277, "loss": 2.2776157729805013, "top5_error": 33.98328690807799, "train_loss": 2.0149140933006726, "epochs": 1.0, "trained_epochs": 1.0, "train_seconds": 2.6664388079989294, "params": 38260.0, "madds": 1567248.0}',2.92343273200094699859e+00,'','machine:1',1.79604005448006176946e+09,1.79604005740349459644e+09);
INSERT INTO "results" VALUES(6,'ok','{"error": 75.20891364902506, "accuracy": 24.791086350974936, "loss": 2.049542355338179, "top5_error": 20.055710306406684, "train_loss": 1.3518940601808906, "epochs": 1.0, "trained_epochs": 1.0, "train_seconds": 1.5659530289995018, "params": 24773.0, "madds": 555648.0}',1.68272319500101730227e+00,'','machine:1',1.79604005741141605377e+09,1.79604005909413933753e+09);
INSERT INTO "results" VALUES(7,'ok','{"error": 82.17270194986072, "accuracy": 17.827298050139277, "loss": 2.259312876751828, "top5_error": 46.51810584958217, "train_loss": 1.8461295784293832, "epochs": 1.0, "trained_epochs": 1.0, "train_seconds": 2.4764241490011045, "params": 52984.0, "madds": 1154176.0}',2.69093806999808293767e+00,'','machine:1',1.79604005909562945359e+09,1.79604006178656744959e+09);
INSERT INTO "results" VALUES(8,'ok','{"error": 65.18105849582173, "accuracy": 34.81894150417827, "loss": 2.1592084199273156, "top5_error": 26.462395543175486, "train_loss": 1.4851310885682398, "epochs": 1.0, "trained_epochs": 1.0, "train_seconds": 1.5036352149982122, "params": 28608.0, "madds": 358272.0}',1.59659170299710240215e+00,'','machine:1',1.79604006178941917422e+09,1.79604006338601088522e+09);
INSERT INTO "results" VALUES(9,'ok','{"error": 89.69359331476323, "accuracy": 10.306406685236766, "loss": 2.3099261525613684, "top5_error": 45.682451253481894, "train_loss": 1.9161614752435066, "epochs": 1.0, "trained_epochs": 1.0, "train_seconds": 3.198200253998948, "params": 32101.0, "madds": 931232.0}',3.47677863900025840848e+00,'','machine:1',1.79604006338774442675e+09,1.79604006686452317238e+09);
INSERT INTO "results" VALUES(10,'ok','{"error": 62.674094707520894, "accuracy": 37.325905292479106, "loss": 2.0184094952341574, "top5_error": 22.56267409470752, "train_loss": 1.5200205503899002, "epochs": 1.0, "trained_epochs": 1.0, "train_seconds": 1.7458069480017002, "params": 17750.0, "madds": 529152.0}',1.82330994800213375128e+00,'','machine:1',1.79604006686919832232e+09,1.79604006869250822065e+09);
INSERT INTO "results" VALUES(11,'ok','{"error": 89.69359331476323, "accuracy": 10.306406685236766, "loss": 2.3094844552467793, "top5_error": 46.796657381615596, "train_loss": 1.6610139128449675, "epochs": 1.0, "trained_epochs": 1.0, "train_seconds": 2.1449070159978874, "params": 43304.0, "madds": 1266992.0}',2.32081349800137104466e+00,'','machine:1',1.79604006869452142722e+09,1.79604007101533484462e+09);
CREATE TABLE trials (
    id INTEGER PRIMARY KEY, architecture TEXT NOT NULL, seed INTEGER NOT NULL, budget REAL, asked_at REAL NOT NULL
) STRICT;
INSERT INTO "trials" VALUES(0,'r8/stem8s1/se0/ds8:v0/ir8:k3s2e2/head16',1896895516,NULL,1.79604003841360712048e+09);
INSERT INTO "trials" VALUES(1,'r16/stem24s1/se0.5/ds24:v0/ir32:k5s2e4/sp:k5e4p1g4/ir40:k5e4/sp:k5e3p1g2/ir64:k5s2e3/sp:k5e4p1g4x2/head128',926699317,NULL,1.79604003841420412071e+09);
INSERT INTO "trials" VALUES(2,'r8/stem24s1/se0.5/ds24/ir24:k3s2e3/sp:k5e2p0.25m-0+/ir32:k3.5e4/sp:k3e4p0.75m0+/ir64:k3s2e4/sp:k3e2p0.25m0+/head128',56766092,NULL,1.79604003841449069971e+09);
INSERT INTO "trials" VALUES(3,'r12/stem8s1/se0/ds8/ir8:k3s2e4/sp:k5e2m0+/ir24:k5e4/sp:k5e3p0.25m-0/ir32:k3.5s2e2/sp:k3e3p1g2/head32',2084953172,NULL,1.79604003841473579402e+09);
INSERT INTO "trials" VALUES(4,'r12/stem16s1/se0.25/ds16:v0/ir8:k3.5s2e3/sp:k5e2p0.75m-0+/ir24:k3s2e4/sp:k5e3p1g2/head64',228377781,NULL,1.79604003841506910327e+09);
INSERT INTO "trials" VALUES(5,'r16/stem24s1/se0.5/ds24:v0/ir8:k3.5s2e3/ir40:k3.5e2/sp:k3e3g2/ir32:k5s2e2/sp:k5e2p1g4/head16',702926726,NULL,1.79604003841535639763e+09);
INSERT INTO "trials" VALUES(6,'r12/stem16s1/se0.5/ds16:v0/ir32:k3.5s2e2/ir16:k5e3/ir24:k5s2e3/sp:k3e3p0.75g2/head64',373378399,NULL,1.79604003841561889655e+09);
INSERT INTO "trials" VALUES(7,'r12/stem8s1/ds8:v0/ir32:k5s2e3/sp:k5e4p1g2/ir32:k5e3/sp:k3e2m-+/ir32:k3s2e3/head16',1656883613,NULL,1.7960400384200220108e+09);
INSERT INTO "trials" VALUES(8,'r8/stem24s1/se0.25/ds24:v0/ir16:k3s2e2/sp:k3e2p1g2/ir32:k3.5e4/ir48:k3.5s2e4/head32',527613000,NULL,1.79604004137767481802e+09);
INSERT INTO "trials" VALUES(9,'r12/stem24s1/se0.25/ds24/ir16:k3.5s2e4/sp:k3e3m-+/ir24:k3e4/ir64:k5s2e4/sp:k5e2p0.25x2/head16',2044470342,NULL,1.79604004894890093802e+09);
INSERT INTO "trials" VALUES(10,'r16/stem8s1/se0/ds8:v0/ir24:k3s2e3/sp:k5e3p0.25g2/ir24:k3s2e4/sp:k5e2p1m-0+/head128',851408494,NULL,1.79604005103947257995e+09);
INSERT INTO "trials" VALUES(11,'r12/stem24s1/se0.5/ds24:v0/ir32:k5s2e3/sp:k3e3p1g4/ir16:k3.5e4/ir48:k3s2e2/sp:k5e2p0.25m0+x2/head32',1634308976,NULL,1.7960400528485257626e+09);
COMMIT;
