/* The physical floor in CPython: a vectorcall wrapper and a context manager, both in C, that do nothing. */
#define PY_SSIZE_T_CLEAN
#include <Python.h>
#include <stddef.h>

typedef struct { PyObject_HEAD vectorcallfunc vectorcall; PyObject *inner; } Wrapper;
static PyObject *call_inner(PyObject *self, PyObject *const *args, size_t nargsf, PyObject *keywords) {
  return PyObject_Vectorcall(((Wrapper *)self)->inner, args, nargsf, keywords);
}
static PyTypeObject WrapperType = {PyVarObject_HEAD_INIT(NULL, 0)
  .tp_name = "floor.Wrapper", .tp_basicsize = sizeof(Wrapper), .tp_call = PyVectorcall_Call,
  .tp_flags = Py_TPFLAGS_DEFAULT | Py_TPFLAGS_HAVE_VECTORCALL, .tp_vectorcall_offset = offsetof(Wrapper, vectorcall)};
static PyObject *wrap(PyObject *module, PyObject *inner) {
  Wrapper *w = PyObject_New(Wrapper, &WrapperType);
  if (!w) return NULL;
  w->vectorcall = call_inner;
  w->inner = Py_NewRef(inner);
  return (PyObject *)w;
}
static PyObject *enter(PyObject *self, PyObject *unused) { Py_RETURN_NONE; }
static PyObject *leave(PyObject *self, PyObject *const *args, Py_ssize_t count) { Py_RETURN_NONE; }
static PyMethodDef methods[] = {{"__enter__", enter, METH_NOARGS, NULL},
                                {"__exit__", (PyCFunction)(void (*)(void))leave, METH_FASTCALL, NULL}, {NULL}};
static PyTypeObject BlockType = {PyVarObject_HEAD_INIT(NULL, 0)
  .tp_name = "floor.Block", .tp_basicsize = sizeof(PyObject), .tp_flags = Py_TPFLAGS_DEFAULT, .tp_methods = methods,
  .tp_new = PyType_GenericNew};
static PyMethodDef functions[] = {{"wrap", wrap, METH_O, NULL}, {NULL}};
static struct PyModuleDef definition = {PyModuleDef_HEAD_INIT, "floor", NULL, -1, functions};
PyMODINIT_FUNC PyInit_floor(void) {
  if (PyType_Ready(&WrapperType) < 0) return NULL;
  PyObject *module = PyModule_Create(&definition);
  if (module && PyModule_AddType(module, &BlockType) < 0) Py_CLEAR(module);
  return module;
}
